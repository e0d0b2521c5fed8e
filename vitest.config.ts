import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests run on the TypeScript sources; files shared with the benchmarks say 'silverlode', as a user would.
const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const shared = {
  alias: {
    'silverlode/data': source('lib/data/index.ts'),
    'silverlode/cluster': source('lib/cluster/index.ts'),
    'silverlode/feed': source('lib/feed/index.ts'),
    'silverlode/serve': source('lib/serve/index.ts'),
    silverlode: source('lib/index.ts'),
  },
};

// Far beyond what anything takes, also on a machine that is busy: tests fail by what they find, never for being slow.
const HANG_GUARD = 1_800_000;
const patience = { testTimeout: HANG_GUARD, hookTimeout: HANG_GUARD };

// The same suites on a GPU: emulated, or the first real one.
const onCuda = (name: string, folders: string, plugin: Record<string, string>) => ({
  resolve: shared,
  test: {
    name,
    include: [`test/{${folders}}/**/*.test.ts`],
    setupFiles: ['test/support/setup_cuda.ts'],
    provide: { device: 'cuda' as const },
    env: plugin,
    ...patience,
  },
});

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: true,
    projects: [
      {
        resolve: shared,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/packaging/**', 'test/{cuda,emulated}/**'],
          provide: { device: 'cpu' },
          ...patience,
        },
      },
      onCuda('emulated', 'ops,program,retrieval,cuda,emulated', {
        SILVERLODE_CUDA_PLUGIN:
          process.env.SILVERLODE_CUDA_PLUGIN ?? source('build/Release/silverlode_cuda_emulated.so'),
      }),
      onCuda('gpu', 'ops,program,retrieval,cuda', {}),
      {
        test: {
          name: 'packaging',
          provide: { device: 'cpu' },
          include: ['test/packaging/**/*.test.ts'],
          ...patience,
        },
      },
    ],
  },
});
