import { describe, expect, test } from 'vitest';
import { openDevice } from '../../lib/native/device.js';
import { add } from '../../lib/ops/index.js';
import { compile, trace } from '../../lib/program/compile.js';
import { ProgramRunner } from '../../lib/program/runner.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { testDevice } from '../support/device.js';
import { expectCode } from '../support/ops.js';
import { Lambda } from './lambda.js';
import { bits, Deep, randomFloats, Tower } from './modules.js';

const features = { dtype: 'float32', shape: ['batch', 12] } as const;
const x = { dtype: 'float32', shape: ['batch', 256] } as const;

describe('runs in flight at once', () => {
  test('do not disturb each other, whatever their sizes', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const batches = [1, 64, 3, 3, 17, 0, 64, 2, 33, 8];
    const inputs = batches.map((batch, i) => randomFloats(12 * batch, i));
    const alone: Uint32Array[] = [];
    for (const each of inputs) alone.push(bits(await program.run({ features: each })));
    const together = await Promise.all(inputs.map((each) => program.run({ features: each })));
    expect(together.map(bits)).toEqual(alone);
    program.dispose();
  });

  test('may need more buckets than are kept', async () => {
    const inputs = { a: { dtype: 'float32', shape: ['n'] }, b: { dtype: 'float32', shape: ['m', 'n'] } } as const;
    const program = await compile(new Lambda(({ a, b }) => add(b, a)), { inputs });
    const sizes = Array.from({ length: 36 }, (_, i) => [2 ** (i % 6), 2 ** Math.floor(i / 6)] as const);
    const runs = sizes.map(([n, m]) =>
      program.run({ a: new Float32Array(n).fill(1), b: new Float32Array(n * m).fill(2) }),
    );
    for (const [i, output] of (await Promise.all(runs)).entries()) {
      const [n, m] = sizes[i] as readonly [number, number];
      expect([output.shape, output.view().every((sum) => sum === 3)]).toEqual([[m, n], true]);
    }
    program.dispose();
  });

  test('do not hold up the event loop', async () => {
    const program = await compile(new Deep(256, 24), { inputs: { x }, threads: 1 });
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const count = testDevice === 'cpu' ? 16 : 4; // long enough for the timer on a busy machine
    const runs = Array.from({ length: count }, (_, i) => program.run({ x: randomFloats(64 * 256, i) }));
    await Promise.all(runs);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(2);
    program.dispose();
  });
});

describe('what was given to a run', () => {
  const values = randomFloats(36, 1);

  test('may be changed or detached as soon as run has returned', async () => {
    for (const warm of [false, true]) {
      const program = await compile(new Tower(), { inputs: { features } });
      const expected = bits(await (await compile(new Tower(), { inputs: { features } })).run({ features: values }));
      if (warm) await program.run({ features: values });
      const changed = values.slice();
      const first = program.run({ features: changed });
      changed.fill(7);
      const detached = values.slice();
      const second = program.run({ features: detached });
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      expect(detached.length).toBe(0);
      const plain = [...values];
      const third = program.run({ features: plain });
      plain.fill(7);
      expect((await Promise.all([first, second, third])).map(bits)).toEqual([expected, expected, expected]);
      program.dispose();
    }
  });

  test('may be a tensor that is disposed before the result is there', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const expected = bits(await program.run({ features: values }));
    const given = tensor(values, { shape: [3, 12] });
    const cold = await compile(new Tower(), { inputs: { features } });
    const runs = [program.run({ features: given }), cold.run({ features: given })];
    given.dispose();
    expect((await Promise.all(runs)).map(bits)).toEqual([expected, expected]);
  });

  test('may be an array that lost its buffer, which is an empty one', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const detached = values.slice();
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    expect((await program.run({ features: detached })).shape).toEqual([0, 2, 8]);
  });

  test('is a weight that was replaced only after compile', async () => {
    const module = new Tower();
    const program = await compile(module, { inputs: { features } });
    const expected = bits(await program.run({ features: values }));
    module.loadStateDict(new Map([...module.stateDict()].map(([name, { shape }]) => [name, zeros(shape)])));
    expect(bits(await program.run({ features: values }))).toEqual(expected);
    const again = await compile(module, { inputs: { features } });
    expect([...(await again.run({ features: values })).view()].every((value) => value === 0)).toBe(true);
  });
});

describe('an AbortSignal', () => {
  test('that is aborted already runs nothing', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const reason = new Error('too late');
    const run = program.run({ features: new Float32Array(12) }, { signal: AbortSignal.abort(reason) });
    await expect(run).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    program.dispose();
  });

  test('ends a run that is under way or waiting, and no other', async () => {
    const program = await compile(new Deep(256, 64), { inputs: { x }, threads: 1 });
    const input = randomFloats(64 * 256, 5);
    const expected = bits(await program.run({ x: input }));
    const controller = new AbortController();
    const { signal } = controller;
    const runs = [
      program.run({ x: input }, { signal }),
      program.run({ x: input }),
      program.run({ x: input }, { signal }),
      program.run({ x: input }, { signal: new AbortController().signal }),
    ];
    setTimeout(() => controller.abort(), 2);
    const results = await Promise.allSettled(runs);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    for (const result of results) {
      if (result.status === 'fulfilled') expect(bits(result.value)).toEqual(expected);
      else expect(result.reason).toMatchObject({ code: 'ABORTED', cause: signal.reason });
    }
    program.dispose();
  });

  test('that is aborted after the end changes nothing', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const controller = new AbortController();
    const output = await program.run({ features: new Float32Array(12) }, { signal: controller.signal });
    controller.abort();
    expect(output.shape).toEqual([1, 2, 8]);
    program.dispose();
  });
});

describe('dispose', () => {
  test('refuses new runs, while those in flight finish', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const values = randomFloats(12 * 5, 3);
    const expected = bits(await program.run({ features: values }));
    const runs = [program.run({ features: values }), program.run({ features: randomFloats(12 * 40, 3) })] as const;
    const steps = program.profile({ features: values });
    program.dispose();
    program.dispose();
    await expectCode('DISPOSED', () => program.run({ features: values }));
    await expectCode('DISPOSED', () => program.profile({ features: values }));
    expect(bits(await runs[0])).toEqual(expected);
    expect((await runs[1]).shape).toEqual([40, 2, 8]);
    expect(await steps).toHaveLength(4);
  });

  test('leaves results and parameters alone', async () => {
    const module = new Tower();
    let output: Tensor;
    {
      using program = await compile(module, { inputs: { features } });
      output = await program.run({ features: randomFloats(12, 3) });
    }
    expect(output.view()).toHaveLength(16);
    expect(module.stateDict().get('norm.weight')?.view()[0]).toBe(1);
  });

  test('of a parameter is noticed by the next bucket, not by a planned one', async () => {
    const module = new Tower();
    const program = await compile(module, { inputs: { features } });
    const values = randomFloats(12, 3);
    const expected = bits(await program.run({ features: values }));
    for (const weight of module.stateDict().values()) weight.dispose();
    expect(bits(await program.run({ features: values }))).toEqual(expected);
    await expectCode('DISPOSED', () => program.run({ features: randomFloats(24, 3) }));
  });
});

describe('profile', () => {
  test('tells time, rows and bytes of every step that runs', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const steps = await program.profile({ features: new Float32Array(12 * 3) });
    const floats = (...counts: number[]) => 4 * counts.reduce((sum, count) => sum + count, 0);
    expect(steps.map(({ op, label, rows, bytes }) => ({ op, label, rows, bytes }))).toEqual([
      { op: 'layer_norm', label: 'norm', rows: 3, bytes: floats(36, 12, 12, 36) },
      { op: 'linear', label: 'mlp.layers.0', rows: 3, bytes: floats(36, 12 * 16, 16, 48) },
      { op: 'linear', label: 'mlp.layers.1', rows: 3, bytes: floats(48, 16 * 16, 16, 48) },
      { op: 'l2_normalize', label: '', rows: 6, bytes: floats(48, 48) },
    ]);
    for (const { milliseconds } of steps) expect(milliseconds).toBeGreaterThanOrEqual(0);
    await expectCode('SHAPE_MISMATCH', () => program.profile({ features: new Float32Array(11) }));
    program.dispose();
  });
});

describe('memory of a bucket', () => {
  test('is told without being taken, and grows with the bucket', async () => {
    const { spec, constants } = trace(new Tower(), { features });
    const runner = new ProgramRunner(openDevice(), spec, constants, { batch: 100 });
    const arenas: number[] = [];
    for (const batch of [1, 3, 4, 65, 100]) arenas.push((await runner.sizes([batch])).arenaBytes);
    expect(arenas[1]).toBe(arenas[2]);
    expect(arenas[3]).toBe(arenas[4]);
    expect(arenas[0]).toBeLessThan(arenas[2] as number);
    expect(arenas[2]).toBeLessThan(arenas[4] as number);
    expect(runner.capacities([65])).toEqual([100]);
    await expectCode('LIMIT_EXCEEDED', () => runner.sizes([101]));
    runner.dispose();
  });
});

function zeros(shape: readonly number[]): Tensor {
  return tensor(new Float32Array(shape.reduce((product, dim) => product * dim, 1)), { shape });
}
