// Finds and loads the native binary. Failing to is one error that says why and what to type.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import bindings from 'bindings';
import { SilverlodeError } from '../errors.js';

/** Loads `build/Release/silverlode.node` of this package; what it exports is described in `addon.ts`. */
export function loadAddon(): unknown {
  const root = packageRoot();
  try {
    refuseOtherVersion(root);
    return bindings({ bindings: 'silverlode', module_root: root });
  } catch (cause) {
    const reason = existsSync(path.join(root, 'build/Release/silverlode.node'))
      ? firstLine(cause)
      : 'it has not been built yet';
    const installer = typed(path.join(root, 'native/install.cjs'));
    throw new SilverlodeError(
      'DEVICE_UNAVAILABLE',
      `silverlode: no native binary: ${reason}. With a C++20 compiler and CMake installed, run: node ${installer} --strict`,
      { platform: `${process.platform}-${process.arch}`, node: process.version },
      { cause },
    );
  }
}

/** The nearest folder above this file with our package.json: this file runs from `lib/native` and from `dist/native`. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

/** A binary that an earlier version left behind may lack what this one calls. */
function refuseOtherVersion(root: string): void {
  const infoFile = path.join(root, 'build/build_info.json');
  if (!existsSync(infoFile)) return;
  const versionIn = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  const [built, wanted] = [versionIn(infoFile), versionIn(path.join(root, 'package.json'))];
  if (built !== wanted) throw new Error(`the one in build/ is of version ${built}, this is ${wanted}`);
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
