import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { add, gatherRows } from '../../lib/ops/index.js';
import { compile } from '../../lib/program/compile.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { expectCode } from '../support/ops.js';
import { Lambda } from './lambda.js';
import { bits, PICKER_INPUTS, Picker, randomFloats, Tower } from './modules.js';

const features = { dtype: 'float32', shape: ['batch', 12] } as const;

describe('inputs of a run', () => {
  let program: Awaited<ReturnType<typeof compileTower>>;
  beforeAll(async () => {
    program = await compileTower();
  });
  afterAll(() => program.dispose());

  const values = randomFloats(36, 1);

  test('are typed arrays, tensors or plain numbers, with the same result', async () => {
    const expected = await program.run({ features: values });
    expect(expected).toMatchObject({ dtype: 'float32', shape: [3, 2, 8] });
    const shifted = new Float32Array(40);
    shifted.set(values, 3);
    for (const form of [
      [...values],
      tensor(values, { shape: [3, 12] }),
      tensor(values).reshape([3, 12]),
      shifted.subarray(3, 39),
    ]) {
      expect(bits(await program.run({ features: form }))).toEqual(bits(expected));
    }
  });

  test('are flat: the batch follows from their size', async () => {
    for (const batch of [0, 1, 2, 5, 63, 64]) {
      const output = await program.run({ features: new Float32Array(12 * batch) });
      expect(output.shape).toEqual([batch, 2, 8]);
    }
  });

  test('may number as many as maxBatch and no more', async () => {
    await expectCode('LIMIT_EXCEEDED', () => program.run({ features: new Float32Array(12 * 65) }));
    await expectCode('LIMIT_EXCEEDED', () =>
      program.run({ features: tensor(new Float32Array(780), { shape: [65, 12] }) }),
    );
    const small = await compile(new Tower(), { inputs: { features }, maxBatch: 3 });
    expect((await small.run({ features: new Float32Array(36) })).shape).toEqual([3, 2, 8]);
    await expectCode('LIMIT_EXCEEDED', () => small.run({ features: new Float32Array(48) }));
    small.dispose();
  });

  test('are refused by name when missing, unknown, or of another type or size', async () => {
    await expectCode('INVALID_ARGUMENT', () => program.run({}));
    await expectCode('INVALID_ARGUMENT', () => program.run({ features: undefined as never }));
    await expectCode('INVALID_ARGUMENT', () => program.run({ features: values, featuers: values }));
    for (const wrong of [
      new Float64Array(12),
      new Int32Array(12),
      new DataView(new ArrayBuffer(48)),
      'abc',
      null,
      {},
      3,
    ]) {
      await expectCode('UNSUPPORTED_DTYPE', () => program.run({ features: wrong as never }));
    }
    for (const size of [1, 11, 13]) {
      await expectCode('SHAPE_MISMATCH', () => program.run({ features: new Float32Array(size) }));
    }
    await expectCode('UNSUPPORTED_DTYPE', () =>
      program.run({ features: tensor(new Int32Array(12), { shape: [1, 12] }) }),
    );
    for (const shape of [[36], [3, 3, 4], [4, 9], [3, 12, 1]]) {
      await expectCode('SHAPE_MISMATCH', () => program.run({ features: tensor(values, { shape }) }));
    }
    const gone = tensor(values, { shape: [3, 12] });
    gone.dispose();
    await expectCode('DISPOSED', () => program.run({ features: gone }));
    expect((await program.run({ features: values })).shape).toEqual([3, 2, 8]);
  });
});

describe('several inputs and symbols', () => {
  let program: Awaited<ReturnType<typeof compilePicker>>;
  beforeAll(async () => {
    program = await compilePicker();
  });
  afterAll(() => program.dispose());

  const inputs = { 'user.id': randomFloats(8, 2), 'user.age': randomFloats(4, 3), context: randomFloats(8, 4) };

  test('are given under dotted names, and outputs come back by name', async () => {
    const { scores, best, ids } = await program.run(inputs, { dims: { k: 3 } });
    expect([scores, best, ids].map(({ dtype, shape }) => [dtype, ...shape])).toEqual([
      ['float32', 4, 6],
      ['float32', 4, 3],
      ['int32', 4, 3],
    ]);
    for (let row = 0; row < 4; row++) {
      const all = [...scores.view().subarray(6 * row, 6 * row + 6), ...inputs.context.subarray(2 * row, 2 * row + 2)];
      const order = [...all.keys()].sort((a, b) => (all[b] as number) - (all[a] as number)).slice(0, 3);
      expect([...ids.view().subarray(3 * row, 3 * row + 3)]).toEqual(order);
      expect([...best.view().subarray(3 * row, 3 * row + 3)]).toEqual(order.map((column) => all[column]));
    }
  });

  test('must agree about the batch', async () => {
    const expectMismatch = (given: object) =>
      expectCode('SHAPE_MISMATCH', () => program.run({ ...inputs, ...given }, { dims: { k: 3 } }));
    await expectMismatch({ context: randomFloats(6, 4) });
    await expectMismatch({ context: tensor(randomFloats(6, 4), { shape: [3, 2] }) });
    await expectMismatch({ 'user.age': tensor([1], { shape: [1, 1] }) });
  });

  test('take symbols that no input tells from dims', async () => {
    await expectCode('INVALID_ARGUMENT', () => program.run(inputs));
    await expectCode('INVALID_ARGUMENT', () => program.run(inputs, { dims: {} }));
    for (const k of [1, 2, 8, 11]) {
      const { best } = await program.run(inputs, { dims: { k } });
      expect(best.shape).toEqual([4, k]);
    }
    for (const k of [1.5, Number.NaN, Number.POSITIVE_INFINITY, '3']) {
      await expectCode('INVALID_ARGUMENT', () => program.run(inputs, { dims: { k: k as number } }));
    }
    await expectCode('INVALID_ARGUMENT', () => program.run(inputs, { dims: { k: -1 } }));
    await expectCode('LIMIT_EXCEEDED', () => program.run(inputs, { dims: { k: 13 } }));
    await expectCode('SHAPE_MISMATCH', () => program.run(inputs, { dims: { k: 3, batch: 5 } }));
  });

  test('leave a bucket that was too large to be tried again smaller', async () => {
    const [first, second] = [
      await program.run(inputs, { dims: { k: 12 } }),
      await program.run(inputs, { dims: { k: 2 } }),
    ];
    expect([...second.ids.view()]).toEqual(
      [0, 1, 2, 3].flatMap((row) => [...first.ids.view().subarray(12 * row, 12 * row + 2)]),
    );
  });
});

describe('integer inputs', () => {
  test('are checked where they are used, and the program goes on', async () => {
    const table = tensor([10, 20, 30], { shape: [3, 1] });
    const ids = { dtype: 'int32', shape: ['n'] } as const;
    const program = await compile(new Lambda(({ ids }) => gatherRows(table, ids)), { inputs: { ids } });
    expect([...(await program.run({ ids: [2, 0, -1] })).view()]).toEqual([30, 10, 0]);
    await expectCode('INVALID_ARGUMENT', () => program.run({ ids: [0, 3] }));
    expect([...(await program.run({ ids: Int32Array.of(1) })).view()]).toEqual([20]);
    program.dispose();
  });

  test('of 64 bits are bigints', async () => {
    const x = { dtype: 'int64', shape: ['n'] } as const;
    const program = await compile(new Lambda(({ x }) => x), { inputs: { x } });
    const output = await program.run({ x: BigInt64Array.of(-(2n ** 63n), 1n) });
    expect([...output.view()]).toEqual([-(2n ** 63n), 1n]);
    await expectCode('UNSUPPORTED_DTYPE', () => program.run({ x: [1, 2] }));
    program.dispose();
  });

  test('of half floats are bit patterns, or numbers that are rounded', async () => {
    const x = { dtype: 'float16', shape: ['n'] } as const;
    const program = await compile(new Lambda(({ x }) => x), { inputs: { x } });
    expect([...(await program.run({ x: Uint16Array.of(0x3c00) })).view()]).toEqual([0x3c00]);
    expect([...(await program.run({ x: [1, -2, 0.1] })).view()]).toEqual([0x3c00, 0xc000, 0x2e66]);
    program.dispose();
  });
});

describe('two inputs of one symbol in one shape', () => {
  test('need a tensor, since a flat array does not tell them apart', async () => {
    const x = { dtype: 'float32', shape: ['rows', 'columns'] } as const;
    const program = await compile(new Lambda(({ x }) => add(x, x)), { inputs: { x } });
    await expectCode('SHAPE_MISMATCH', () => program.run({ x: [1, 2, 3, 4] }));
    expect((await program.run({ x: [1, 2, 3, 4] }, { dims: { columns: 2 } })).shape).toEqual([2, 2]);
    const output = await program.run({ x: tensor([1, 2, 3, 4], { shape: [4, 1] }) });
    expect([output.shape, [...output.view()]]).toEqual([
      [4, 1],
      [2, 4, 6, 8],
    ]);
    program.dispose();
  });
});

function compileTower() {
  return compile(new Tower(), { inputs: { features } });
}

function compilePicker() {
  return compile(new Picker(), { inputs: PICKER_INPUTS, limits: { k: 12 } });
}
