import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests run on the TypeScript sources; files shared with the benchmarks say 'silverlode', as a user would.
const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const shared = {
  alias: {
    'silverlode/data': source('lib/data/index.ts'),
    'silverlode/feed': source('lib/feed/index.ts'),
    silverlode: source('lib/index.ts'),
  },
};

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
          exclude: ['test/packaging/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'packaging',
          include: ['test/packaging/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
