// For float ops: results as close to the reference as a case promises, and the same bits on every level.
import { Tensor } from 'silverlode';
import { expect, test } from 'vitest';
import type { OpCase } from '../cases/op_case.js';
import { testDevice } from './device.js';
import { forEachLevel } from './ops.js';

/** How far a result may be from the reference; both zero: equal, and -0 differs from +0. */
export interface Tolerance {
  readonly absolute?: number;
  readonly relative?: number;
  /** From this magnitude on, another order of additions may overflow. */
  readonly overflow?: number;
}

/**
 * Every case without `bench`, on every SIMD level and thread count: within the tolerance of `reference`, where NaN stands
 * for any NaN, and bit for bit what the first level gave.
 */
export function checkClose<Input>(
  cases: readonly OpCase<Input>[],
  run: (input: Input) => Promise<{ y: Tensor<'float32'> }>,
  reference: (input: Input) => ArrayLike<number>,
  tolerance: (input: Input) => Tolerance = () => ({}),
): void {
  const prepared = cases
    .filter(({ bench }) => !bench)
    .map((each) => ({ name: `${each.name} (seed ${each.seed})`, solved: once(() => solve(each.input())) }));
  const solve = (input: Input) => ({ input, expected: reference(input), first: undefined as Buffer | undefined });

  forEachLevel(() => {
    for (const { name, solved } of prepared) {
      test(name, async () => {
        const own = solved();
        const { y } = await run(own.input);
        expectClose(y.view(), own.expected, allowed(tolerance(own.input), own.input, own.expected));
        const bytes = Buffer.from(y.view().buffer, y.view().byteOffset, y.nbytes);
        own.first ??= Buffer.from(bytes);
        expect(bytes.equals(own.first), 'the bits of the first level').toBe(true);
      });
    }
  });
}

/**
 * What contracts 1.6 grants a GPU, where that is more. In half precision the inputs of a sum are rounded too, so there the
 * absolute part is one of the results' root mean square.
 */
export function allowed(given: Tolerance, input: unknown, expected: ArrayLike<number>): Tolerance {
  if (testDevice === 'cpu') return given;
  const half = holdsHalf(input);
  const granted = half ? 2e-2 : 1e-4;
  return {
    absolute: Math.max(given.absolute ?? 0, granted * (half ? Math.max(1, rootMeanSquare(expected)) : 1)),
    relative: Math.max(given.relative ?? 0, granted),
    overflow: 1e38,
  };
}

function rootMeanSquare(values: ArrayLike<number>): number {
  const finite = Array.from(values).filter(Number.isFinite);
  return Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / Math.max(1, finite.length));
}

/** Whether a tensor in half precision is anywhere in an op's input. */
function holdsHalf(input: unknown): boolean {
  if (input instanceof Tensor) return input.dtype.endsWith('float16');
  if (typeof input !== 'object' || input === null || ArrayBuffer.isView(input)) return false;
  return Object.values(input).some(holdsHalf);
}

/** Fails with the first element that is too far away. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance = {}): void {
  const { absolute = 0, relative = 0, overflow = Infinity } = tolerance;
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    const near = absolute + relative > 0 && Math.abs(a - e) <= absolute + relative * Math.abs(e);
    const huge = Math.min(Math.abs(a), Math.abs(e)) > overflow && a > 0 === e > 0;
    if (near || huge || Object.is(a, e)) continue;
    expect.fail(`element ${i} is ${text(a)}, expected ${text(e)}`);
  }
}

const text = (x: number) => (Object.is(x, -0) ? '-0' : String(x));

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
