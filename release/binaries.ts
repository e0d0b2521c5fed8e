// What a binary needs of the system it is loaded on, read from the file itself.
import path from 'node:path';
import { CUDA, type Platform } from './platforms.js';
import { python, root, run } from './tools.js';

/** As release/binary_facts.py prints it. */
export interface BinaryFacts {
  readonly format: string;
  readonly machine: string;
  /** Libraries that the loader must find. */
  readonly libraries: readonly string[];
  /** ELF: versions of symbols that these must have, such as `GLIBC_2.28`. */
  readonly versions: readonly string[];
  readonly exports: readonly string[];
}

/** The oldest glibc that packages run with. */
export const GLIBC_FLOOR = '2.28';

const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
const GLIBC = ['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2', 'librt.so.1'];
const LOADERS = ['ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1'];

/** What may be linked: only what every system of its kind has. */
function allowed({ os, libc }: Platform): RegExp {
  if (os === 'darwin') return /^\/usr\/lib\/libSystem\.B\.dylib$/;
  if (os === 'win32') return /^(kernel32|advapi32|ntdll)\.dll$|^api-ms-win-crt-[a-z]+-l1-1-0\.dll$|^node\.exe$/i;
  if (libc === 'musl') return /^libc\.so$|^libc\.musl-(x86_64|aarch64)\.so\.1$/;
  return new RegExp(`^(${[...GLIBC, ...LOADERS].join('|').replaceAll('.', '\\.')})$`);
}

export function readFacts(binary: string): BinaryFacts {
  return JSON.parse(run(python(), [path.join(root, 'release/binary_facts.py'), binary])) as BinaryFacts;
}

/** Throws when a binary would not load on some system that its package names. */
export function refuseUnfit(platform: Platform, binary: string): void {
  const facts = readFacts(binary);
  const faults = facts.libraries
    .filter((library) => !allowed(platform).test(library))
    .map((library) => `links ${library}`);
  for (const version of facts.versions) {
    const [, needed] = /^GLIBC_(\d+\.\d+)/.exec(version) ?? [];
    if (needed === undefined) faults.push(`needs ${version}`);
    else if (needed.localeCompare(GLIBC_FLOOR, 'en', { numeric: true }) > 0) faults.push(`needs glibc ${needed}`);
  }
  // zig's linker of Mach-O hides no symbol of the runtime: operators new and delete, and names of its own.
  const hidden = platform.os === 'darwin' ? /^_(_Z(na|nw|da|dl)|__dso_handle|_mh_dylib_header|_ZTSPFvPvE)/ : /^$/;
  const extra = facts.exports.filter((name) => !EXPORTS.includes(name.replace(/^_/, '')) && !hidden.test(name));
  if (platform !== CUDA && extra.length > 0) faults.push(`exports ${extra.slice(0, 5).join(', ')}`);
  const machine = platform.cpu === 'x64' ? /x86_64|amd64/i : /aarch64|arm64/i;
  if (!machine.test(facts.machine)) faults.push(`is for ${facts.machine}`);
  if (faults.length > 0) throw new Error(`${binary} ${faults.join('; ')}`);
}
