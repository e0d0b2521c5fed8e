// Which device a test project is for; vitest.config.ts says it.
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    device: 'cpu' | 'cuda';
  }
}

/** `'cuda'` in the projects `emulated` and `gpu`, where `setup_cuda.ts` makes it the device of everything. */
export const testDevice = inject('device');
