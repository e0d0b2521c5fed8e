// npm run package [-- name…]: writes build/packages/*.tgz. Without names: the root package, the sources, one package per
// platform and, where nvcc is found, the CUDA plugin; with names only these, and the root package.
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { refuseUnfit } from './binaries.js';
import { buildNative } from './build.js';
import { CUDA, PLATFORMS } from './platforms.js';
import { packagesFolder, packPlatform, packRoot, packSource } from './stage.js';
import { installTools, run } from './tools.js';

const ALL = [...PLATFORMS, CUDA];

function findsNvcc(): boolean {
  try {
    run(process.env.CUDACXX ?? 'nvcc', ['--version']);
    return true;
  } catch {
    return false;
  }
}

function chosen(names: readonly string[]): string[] {
  const known = ['source', ...ALL.map(({ name }) => name)];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no package ${unknown.join(', ')}; known: ${known.join(', ')}`);
  if (names.length > 0) return [...names];
  if (findsNvcc()) return known;
  console.error(`${CUDA.name} is left out: nvcc was not found (CUDACXX names it)`);
  return known.filter((name) => name !== CUDA.name);
}

function tell(tarball: string): void {
  console.log(`${path.relative(process.cwd(), tarball)} ${(statSync(tarball).size / 1e6).toFixed(2)} MB`);
}

const names = chosen(process.argv.slice(2));
mkdirSync(packagesFolder, { recursive: true });
installTools();
tell(packRoot());
if (names.includes('source')) tell(packSource());
for (const platform of ALL.filter(({ name }) => names.includes(name))) {
  const binary = buildNative(platform);
  refuseUnfit(platform, binary);
  tell(packPlatform(platform, binary));
}
