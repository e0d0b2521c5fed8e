// The licences of what is linked into a binary, as its package carries them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { CUDA, type Platform } from './platforms.js';
import { zigFolder } from './tools.js';

const require = createRequire(import.meta.url);

/** One text: per component its name, what of it is inside, and its licence in full. */
export function licences(platform: Platform): string {
  const zig = (file: string) => readFileSync(path.join(zigFolder(), file), 'utf8');
  const components =
    platform === CUDA
      ? [['CUDA runtime (static)', 'Used and redistributed under the NVIDIA CUDA Toolkit EULA, attachment A.']]
      : [
          [
            'node-addon-api',
            readFileSync(path.join(path.dirname(require.resolve('node-addon-api')), 'LICENSE.md'), 'utf8'),
          ],
          ['libc++ of LLVM', zig('lib/libcxx/LICENSE.TXT')],
          ['libc++abi of LLVM', zig('lib/libcxxabi/LICENSE.TXT')],
          ['libunwind of LLVM', zig('lib/libunwind/LICENSE.TXT')],
          ['runtime of zig', zig('LICENSE')],
          ...(platform.os === 'win32' ? [['runtime of mingw-w64', zig('lib/libc/mingw/COPYING')]] : []),
        ];
  const intro = `@silverlode/${platform.name} holds compiled code of the components below.\n`;
  return [intro, ...components.map(([name, text]) => `${name}\n${'-'.repeat(78)}\n\n${text?.trim()}\n`)].join('\n');
}
