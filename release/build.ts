// Builds the native file of one platform.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { Platform } from './platforms.js';
import { root, run, zigFolder } from './tools.js';

const require = createRequire(import.meta.url);
const JOBS = String(os.availableParallelism());

/** Compiles and links with zig, or the CUDA plugin with nvcc; returns the file. */
export function buildNative(platform: Platform): string {
  const folder = path.join(root, 'build/packages/native', platform.name);
  const output = path.join(folder, 'output');
  const target = platform.file.split('.')[0] as string;
  mkdirSync(folder, { recursive: true });
  const options = platform.file.endsWith('.node') ? zigOptions(platform, folder) : cudaOptions();
  run('cmake', ['-S', root, '-B', path.join(folder, 'cmake'), '-D', `SILVERLODE_OUTPUT=${output}`, ...options]);
  run('cmake', ['--build', path.join(folder, 'cmake'), '--target', target, '--parallel', JOBS]);
  return path.join(output, platform.file);
}

function zigOptions(platform: Platform, folder: string): string[] {
  const zig = path.join(zigFolder(), 'zig');
  const includes = [path.dirname(require.resolve('node-addon-api/napi.h')), require('node-api-headers').include_dir];
  const options: Record<string, string> = {
    CMAKE_TOOLCHAIN_FILE: path.join(root, 'native/cmake/zig.cmake'),
    SILVERLODE_ZIG: zig,
    SILVERLODE_PLATFORM: platform.name,
    SILVERLODE_CUDA: 'OFF',
    SILVERLODE_WERROR: 'ON',
    CMAKE_JS_INC: includes.join(';'),
  };
  if (platform.os === 'win32') options.SILVERLODE_NODE_LIBRARY = nodeLibrary(zig, folder);
  return Object.entries(options).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
}

/** The import library of Node-API, which node.exe exports. */
function nodeLibrary(zig: string, folder: string): string {
  const library = path.join(folder, 'node_api.lib');
  run(zig, ['dlltool', '-m', 'i386:x86-64', '-d', require('node-api-headers').def_paths.node_api_def, '-l', library]);
  return library;
}

function cudaOptions(): string[] {
  return ['-D', 'SILVERLODE_CUDA=ON', '-D', 'SILVERLODE_WERROR=ON', '-D', 'SILVERLODE_PORTABLE=ON'];
}
