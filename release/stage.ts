// Lays the files of one package into a folder of their own and packs it. Manifests are made from package.json of the
// repository, so that versions, licences and dependencies agree by construction.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { licences } from './licences.js';
import { CUDA, PLATFORMS, type Platform } from './platforms.js';
import { root, run } from './tools.js';

type Manifest = Record<string, unknown> & {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
};

const SHARED = ['version', 'license', 'repository', 'homepage', 'bugs', 'engines'];
const OF_ROOT = ['description', 'keywords', 'type', 'exports', 'bin', 'dependencies'];

/** Where the tarballs lie. */
export const packagesFolder = path.join(root, 'build/packages');

function repositoryManifest(): Manifest {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
}

const pick = (from: Manifest, keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, from[key]]));
const nameOf = (platform: Platform) => `@silverlode/${platform.name}`;

/** JavaScript and types. */
export function packRoot(): string {
  const manifest = repositoryManifest();
  const { version } = manifest;
  return pack('silverlode', ['dist', 'README.md', 'CHANGELOG.md'], {
    name: 'silverlode',
    ...pick(manifest, [...SHARED, ...OF_ROOT]),
    optionalDependencies: Object.fromEntries(PLATFORMS.map((platform) => [nameOf(platform), version])),
    peerDependencies: { ...manifest.peerDependencies, [nameOf(CUDA)]: version },
    peerDependenciesMeta: { ...manifest.peerDependenciesMeta, [nameOf(CUDA)]: { optional: true } },
  });
}

/** Native sources and what compiles them, for `silverlode build`. */
export function packSource(): string {
  const manifest = repositoryManifest();
  const tools = ['cmake-js', 'node-addon-api', 'node-api-headers'];
  return pack(
    'source',
    ['native', 'CMakeLists.txt'],
    {
      name: '@silverlode/source',
      description: 'Native sources of silverlode, for platforms without a prebuilt package: npx silverlode build',
      ...pick(manifest, [...SHARED, 'binary']), // by which cmake-js knows that no headers of a Node version are needed
      dependencies: Object.fromEntries(tools.map((tool) => [tool, manifest.devDependencies[tool]])),
    },
    {
      'README.md': `# @silverlode/source\n\nNative sources of silverlode. \`npx silverlode build\` compiles them.\n`,
    },
  );
}

/** One native file and its licences. */
export function packPlatform(platform: Platform, binary: string): string {
  const { name, os, cpu, libc, file } = platform;
  const what = platform === CUDA ? 'CUDA backend' : 'Native part';
  return pack(
    name,
    [],
    {
      name: nameOf(platform),
      description: `${what} of silverlode for ${name}`,
      ...pick(repositoryManifest(), SHARED),
      main: file,
      os: [os],
      cpu: [cpu],
      ...(libc === undefined ? {} : { libc: [libc] }),
      preferUnplugged: true, // a binary is opened by the system, which cannot look into an archive
    },
    {
      'README.md': `# ${nameOf(platform)}\n\n${what} of silverlode for ${name}.\n`,
      'THIRD_PARTY_LICENSES.txt': licences(platform),
    },
    { [file]: binary },
  );
}

/**
 * Optional packages may be missing where the declarations are checked: what is imported from them is then `any`.
 * TypeScript keeps no such comment when it writes a declaration.
 */
function forgiveMissingPeers(folder: string, peers: readonly string[]): void {
  const imports = new RegExp(`^import type .* from '(${peers.join('|')})';$`, 'gm');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.d.ts')) continue;
    const file = path.join(entry.parentPath, entry.name);
    const text = readFileSync(file, 'utf8');
    const forgiving = text.replace(imports, '// @ts-ignore: an optional package\n$&');
    if (forgiving !== text) writeFileSync(file, forgiving);
  }
}

/** Copies files of the repository, writes texts, copies binaries; returns the tarball. */
function pack(
  name: string,
  files: readonly string[],
  manifest: object,
  texts: Readonly<Record<string, string>> = {},
  binaries: Readonly<Record<string, string>> = {},
): string {
  const folder = path.join(packagesFolder, 'staging', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of [...files, 'LICENSE'])
    cpSync(path.join(root, file), path.join(folder, file), { recursive: true, filter: isShipped });
  for (const [file, text] of Object.entries({ 'package.json': `${JSON.stringify(manifest, null, 2)}\n`, ...texts }))
    writeFileSync(path.join(folder, file), text);
  for (const [file, binary] of Object.entries(binaries)) cpSync(binary, path.join(folder, file));
  if (name === 'silverlode') forgiveMissingPeers(folder, Object.keys(repositoryManifest().peerDependencies));
  const args = ['pack', '--silent', '--ignore-scripts', '--json', '--pack-destination', packagesFolder];
  const [packed] = JSON.parse(run('npm', args, { cwd: folder })) as { filename: string }[];
  const tarball = path.join(packagesFolder, `${name === 'silverlode' ? name : `silverlode-${name}`}.tgz`);
  renameSync(path.join(packagesFolder, packed?.filename as string), tarball);
  return tarball;
}

/** Neither what only tests need nor notes of compilers. */
function isShipped(file: string): boolean {
  return !/^native\/(tests|emulation)$|\.tsbuildinfo$/.test(path.relative(root, file));
}
