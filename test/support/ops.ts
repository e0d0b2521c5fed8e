// How every op is tested: all cases of its table, on every SIMD level and several thread counts or on a GPU, bit for bit.
import { devices, SilverlodeError, setDefaultDevice, type Tensor } from 'silverlode';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import type { OpCase } from '../cases/op_case.js';
import { testDevice } from './device.js';

export { type CaseRow, type Cost, defineCases, type OpCase } from '../cases/op_case.js';

/** Thread counts to test with; a GPU has none. */
export const threadCounts: readonly number[] = testDevice === 'cpu' ? [1, 2, 3] : [0];

/** SIMD levels of this processor, least first; on a GPU there is one way to run. */
export const simdLevels: readonly string[] = testDevice === 'cpu' ? (devices()[0]?.simdLevels ?? []) : [''];

/** What a reference returns for an op's outputs: typed arrays under the same names. */
export type Arrays<Outputs extends object> = { readonly [name in keyof Outputs]: ArrayBufferView };

/** Declares `body`'s tests once per SIMD level and thread count, or once for a GPU, with eager ops running there. */
export function forEachLevel(body: (level: { simd: string; threads: number }) => void): void {
  if (testDevice !== 'cpu') {
    describe(testDevice, () => body({ simd: '', threads: 0 }));
    return;
  }
  for (const simd of simdLevels) {
    for (const threads of threadCounts) {
      describe(`${simd}, ${threads} threads`, () => {
        beforeAll(() => setDefaultDevice({ device: 'cpu', simd, threads }));
        body({ simd, threads });
      });
    }
  }
}

/** Every case without `bench` on every level: `run` must return the bits that `reference` returns. */
export function checkCases<Input, Outputs extends object>(
  cases: readonly OpCase<Input>[],
  run: (input: Input) => Promise<Outputs>,
  reference: (input: Input) => Arrays<Outputs>,
): void {
  const prepared = cases
    .filter((each) => !each.bench)
    .map(({ name, seed, input }) => ({ name: `${name} (seed ${seed})`, use: once(() => solve(input(), reference)) }));
  forEachLevel(() => {
    for (const { name, use } of prepared) {
      test(name, async () => expectBits(await run(use().input), use().expected));
    }
  });
}

function solve<Input, E>(input: Input, reference: (input: Input) => E): { input: Input; expected: E } {
  return { input, expected: reference(input) };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Same names, types, lengths and bits: -0 differs from +0 and NaNs differ by their payload. */
export function expectBits<Outputs extends object>(actual: Outputs, expected: Arrays<Outputs>): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, array] of Object.entries<ArrayBufferView>(expected)) {
    const output = arrayOf(actual[name as keyof Outputs] as Tensor | ArrayBufferView);
    expect(output.constructor.name, name).toBe(array.constructor.name);
    if (!bytesOf(output).equals(bytesOf(array))) throw new Error(`${name}: ${firstDifference(output, array)}`);
  }
}

/** In one line: a diff of large arrays would take minutes. */
function firstDifference(output: ArrayBufferView, expected: ArrayBufferView): string {
  const [got, want] = [output, expected] as unknown as [Float32Array, Float32Array];
  if (got.length !== want.length) return `${got.length} elements instead of ${want.length}`;
  const at = got.findIndex((_, i) => !bytesOf(got.subarray(i, i + 1)).equals(bytesOf(want.subarray(i, i + 1))));
  const shown = (array: Float32Array) => (Object.is(array[at], -0) ? '-0' : String(array[at]));
  return `element ${at} of ${got.length} is ${shown(got)} instead of ${shown(want)}`;
}

function arrayOf(value: Tensor | ArrayBufferView): ArrayBufferView {
  return ArrayBuffer.isView(value) ? value : value.view();
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** The action throws, or its promise rejects with, a SilverlodeError of this code. */
export async function expectCode(code: SilverlodeError['code'], action: () => unknown): Promise<void> {
  const error = await Promise.resolve()
    .then(action)
    .then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(SilverlodeError);
  expect((error as SilverlodeError).code, (error as SilverlodeError).message).toBe(code);
}

/**
 * The action is refused with `INVALID_ARGUMENT`, saying which of the data is wrong. A GPU checks all of it at once, so there it
 * says what is wrong and in which op, but may name another one of several bad entries.
 */
export async function expectFault(op: string, text: string, action: () => Promise<unknown>): Promise<void> {
  await expectCode('INVALID_ARGUMENT', action);
  await expect(action()).rejects.toThrow(testDevice === 'cpu' ? text : `${op}: `);
}

/** A property of random inputs: `rounds` seeds (fewer on a GPU), new ones on every run; a failure names its seed. */
export function property(
  name: string,
  rounds: number,
  body: (random: Random) => Promise<void>,
  first: number = Date.now() % 1_000_000,
): void {
  test(`${name} (seeds from ${first})`, async () => {
    const last = first + (testDevice === 'cpu' ? rounds : Math.ceil(rounds / 3));
    for (let seed = first; seed < last; seed++) {
      await body(new Random(seed)).catch((error: unknown) => {
        if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
        throw error;
      });
    }
  });
}
