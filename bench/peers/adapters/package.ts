// Packages of the peers live in a folder of their own, where Node does not look by itself.
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** How an adapter of a peer's package is configured. */
export interface PackageConfig {
  /** The folder with the peers' `package.json` and `node_modules`. */
  packages: string;
}

/** A package of the peers and its version. */
export function requirePeer<T>({ packages }: PackageConfig, name: string): { exports: T; version: string } {
  const require = createRequire(join(packages, 'package.json'));
  const { version } = require(join(packages, 'node_modules', name, 'package.json')) as { version: string };
  return { exports: require(name) as T, version };
}

/** Rows of a matrix, each on its own. */
export function rowsOf(matrix: Float32Array, dims: number): Float32Array[] {
  return Array.from({ length: matrix.length / dims }, (_, row) => matrix.subarray(row * dims, (row + 1) * dims));
}
