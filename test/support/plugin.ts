/** The emulated plugin under test: the one that vitest.config.ts or the caller names, sanitized or not. */
export const plugin = process.env.SILVERLODE_CUDA_PLUGIN ?? '';
