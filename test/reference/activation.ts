import type { Tolerance } from '../support/close.js';

/** Activations in float64; relu is exact. */
export const activations: Readonly<Record<string, (x: number) => number>> = {
  none: (x) => x,
  relu: (x) => (x < 0 ? 0 : x),
  gelu: (x) => (x === -Infinity ? NaN : (x * (1 + erf(x * Math.SQRT1_2))) / 2),
  silu: (x) => (x === -Infinity ? NaN : x / (1 + Math.exp(-x))),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** What the own float32 mathematics of the kernels may be away from them. */
export function activationTolerance(activation: string): Tolerance {
  if (activation === 'none' || activation === 'relu') return {};
  return { relative: 1e-6, absolute: activation === 'gelu' ? 2e-7 : 1e-38 };
}

/** 2/√π e^(-x²) Σ 2^n x^(2n+1) / (1·3·5···(2n+1)): all terms have one sign, so nothing cancels. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
