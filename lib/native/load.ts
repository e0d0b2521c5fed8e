// Finds and loads the native binary: one that was built here, else that of this platform's package. Failing to is one error
// that says why and what to type.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import bindings from 'bindings';
import { familySync, MUSL } from 'detect-libc';
import { SilverlodeError } from '../errors.js';

/** Platforms with a package `@silverlode/<platform>`, which npm installs as an optional dependency where it fits. */
export const PLATFORMS = [
  ...['linux-x64', 'linux-arm64', 'linuxmusl-x64', 'linuxmusl-arm64'],
  ...['darwin-arm64', 'darwin-x64', 'win32-x64'],
];
const CUDA_PACKAGE = '@silverlode/linux-x64-cuda';

const require = createRequire(import.meta.url);

interface CudaAddon {
  setCudaPlugin(path: string): void;
}

/** Loads the addon; what it exports is described in `addon.ts`. */
export function loadAddon(): unknown {
  const root = packageRoot();
  const addon = existsSync(path.join(root, 'build/Release/silverlode.node')) ? loadBuild(root) : loadPackage(root);
  const plugin = resolve(CUDA_PACKAGE);
  if (plugin !== undefined) (addon as CudaAddon).setCudaPlugin(plugin);
  return addon;
}

/**
 * The nearest folder above this file with our package.json: this file runs from `lib/native` and from `dist/native`.
 *
 * @throws SilverlodeError where there is none, as for a bundle that this file was copied into.
 */
export function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    if (isOurs(path.join(folder, 'package.json'))) return folder;
    if (folder !== path.dirname(folder)) continue;
    const advice =
      'a bundler must leave silverlode out, as an external package, and its folder must be installed beside the bundle';
    throw new SilverlodeError(
      'DEVICE_UNAVAILABLE',
      `silverlode: no native binary for ${import.meta.filename}: ${advice}`,
    );
  }
}

function isOurs(file: string): boolean {
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'silverlode';
}

/** What a checkout or `silverlode build` built. */
function loadBuild(root: string): unknown {
  try {
    refuseOtherVersion(path.join(root, 'build/build_info.json'), root, 'the one in build/');
    return bindings({ bindings: 'silverlode', module_root: root });
  } catch (cause) {
    throw missing(firstLine(cause), buildCommand(root), cause);
  }
}

function loadPackage(root: string): unknown {
  const platform = platformName();
  if (!PLATFORMS.includes(platform) || existsSync(path.join(root, 'native/build.cjs'))) {
    const reason = PLATFORMS.includes(platform) ? 'it has not been built yet' : `there is no package for ${platform}`;
    throw missing(`${reason}; it takes a C++20 compiler and CMake`, buildCommand(root));
  }
  const name = `@silverlode/${platform}`;
  const version = versionIn(path.join(root, 'package.json'));
  const install = `npm install --include=optional --save-optional ${name}@${version}`;
  const binary = resolve(name);
  if (binary === undefined) throw missing(`the package ${name} is not installed`, install);
  try {
    refuseOtherVersion(path.join(path.dirname(binary), 'package.json'), root, name);
    return require(binary);
  } catch (cause) {
    throw missing(firstLine(cause), install, cause);
  }
}

/** As in the names of packages. */
function platformName(): string {
  const system = process.platform === 'linux' && familySync() === MUSL ? 'linuxmusl' : process.platform;
  return `${system}-${process.arch}`;
}

function resolve(name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

/** A binary of another version may lack what this one calls. */
function refuseOtherVersion(file: string, root: string, what: string): void {
  if (!existsSync(file)) return;
  const [found, wanted] = [versionIn(file), versionIn(path.join(root, 'package.json'))];
  if (found !== wanted) throw new Error(`${what} is of version ${found}, this is ${wanted}`);
}

const versionIn = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;

function buildCommand(root: string): string {
  const script = path.join(root, 'native/build.cjs');
  return existsSync(script) ? `node ${typed(script)}` : 'npx silverlode build';
}

function missing(reason: string, command: string, cause?: unknown): SilverlodeError {
  return new SilverlodeError(
    'DEVICE_UNAVAILABLE',
    `silverlode: no native binary: ${reason}. Run: ${command}`,
    { platform: `${process.platform}-${process.arch}`, node: process.version },
    { cause },
  );
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] as string;
}

/** A path as the user would type it: relative where that is shorter, quoted where it must be. */
function typed(file: string): string {
  const relative = path.relative(process.cwd(), file);
  const short = relative.startsWith('..') ? file : relative;
  return short.includes(' ') ? `"${short}"` : short;
}
