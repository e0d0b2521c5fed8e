// The packages under test: those that `npm run package` wrote.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root, succeed } from './tools.js';

export const folder = path.join(root, 'build/packages');

export interface Manifest {
  name: string;
  version: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  main?: string;
  scripts?: object;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  [field: string]: unknown;
}

export function tarballs(): string[] {
  if (!existsSync(folder)) throw new Error('nothing to test: npm run package');
  return readdirSync(folder).filter((file) => file.endsWith('.tgz'));
}

/** Paths inside the package, sorted. */
export function contents(tarball: string): string[] {
  const listed = succeed('tar', ['tzf', path.join(folder, tarball)])
    .stdout.trim()
    .split('\n');
  return listed.map((file) => file.replace(/^package\//, '')).sort();
}

export function manifest(tarball: string): Manifest {
  return JSON.parse(succeed('tar', ['xzOf', path.join(folder, tarball), 'package/package.json']).stdout) as Manifest;
}

export const repository = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
