import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests run on the TypeScript sources; files shared with the benchmarks say 'silverlode', as a user would.
const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const shared = {
  alias: {
    'silverlode/data': source('lib/data/index.ts'),
    'silverlode/feed': source('lib/feed/index.ts'),
    'silverlode/serve': source('lib/serve/index.ts'),
    silverlode: source('lib/index.ts'),
  },
};

// The same suites on a GPU: emulated, or the first real one.
const onCuda = (name: string, folders: string, plugin: Record<string, string>) => ({
  resolve: shared,
  test: {
    name,
    include: [`test/{${folders}}/**/*.test.ts`],
    setupFiles: ['test/support/setup_cuda.ts'],
    provide: { device: 'cuda' as const },
    env: plugin,
    testTimeout: 120_000,
    hookTimeout: 120_000,
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
          testTimeout: 60_000,
          hookTimeout: 60_000,
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
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
