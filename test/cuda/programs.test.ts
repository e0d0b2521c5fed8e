// Programs on a GPU: graphs, device tensors in and out, memory.
import type { Tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { gatherRows, l2Normalize, reshape, topK } from '../../lib/ops/index.js';
import { compile } from '../../lib/program/compile.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { Lambda } from '../program/lambda.js';
import { bits, Deep, PICKER_INPUTS, Picker, randomFloats, Tower } from '../program/modules.js';
import { expectCode } from '../support/ops.js';

const features = { dtype: 'float32', shape: ['batch', 12] } as const;
const x = { dtype: 'float32', shape: ['batch', 8] } as const;

const bitsOf = async (output: Tensor) => {
  const onHost = await output.to('cpu');
  return bits(onHost as never);
};

describe('a recorded graph', () => {
  test('gives the bits of launches one by one, for sizes that come, go and come back', async () => {
    const module = new Tower();
    const recorded = await compile(module, { inputs: { features } });
    const launched = await compile(module, { inputs: { features }, graphs: false });
    const sizes = [1, 1, 1, 5, 5, 64, 1, 5, 64, 64, ...Array.from({ length: 30 }, (_, i) => 1 + (i % 11)), 1, 5, 64];
    for (const [i, batch] of sizes.entries()) {
      const values = randomFloats(12 * batch, i);
      expect(bits(await recorded.run({ features: values }))).toEqual(bits(await launched.run({ features: values })));
    }
  });

  test('gives the same bits a hundred times', async () => {
    const module = new Picker();
    const program = await compile(module, { inputs: PICKER_INPUTS });
    const inputs = {
      'user.id': randomFloats(2 * 9, 1),
      'user.age': randomFloats(9, 2),
      context: randomFloats(2 * 9, 3),
    };
    const run = async () => Object.values(await program.run(inputs, { dims: { k: 4 } })).map(bits);
    const expected = await run();
    for (let i = 0; i < 100; i++) expect(await run()).toEqual(expected);
  });

  test('of a run that fails is the same run the next time', async () => {
    const table = tensor([10, 20, 30], { shape: [3, 1] });
    const ids = { dtype: 'int32', shape: ['n'] } as const;
    const program = await compile(new Lambda(({ ids }) => gatherRows(table, ids)), { inputs: { ids } });
    for (let i = 0; i < 4; i++) {
      await expectCode('INVALID_ARGUMENT', () => program.run({ ids: [0, 3] }));
      expect([...(await program.run({ ids: [2, i % 3] })).view()]).toEqual([30, 10 * (1 + (i % 3))]);
    }
  });

  test('is not used by a profile, which gives a time for every step', async () => {
    const program = await compile(new Deep(16, 5), { inputs: { x: { dtype: 'float32', shape: ['batch', 16] } } });
    for (let i = 0; i < 3; i++) {
      const steps = await program.profile({ x: randomFloats(32, i) });
      expect(steps.map(({ op }) => op)).toEqual(Array(5).fill('linear'));
      for (const { milliseconds } of steps) expect(milliseconds).toBeGreaterThanOrEqual(0);
    }
  });
});

describe('device tensors', () => {
  test('go in and come out, also from one program into the next', async () => {
    const tower = new Tower();
    const first = await compile(tower, { inputs: { features } });
    const flat = new Lambda(({ x }) => {
      const { scores, ids } = topK(reshape(x, ['batch', 16]), { k: 3 });
      return { scores, ids };
    });
    const second = await compile(flat, { inputs: { x: { dtype: 'float32', shape: ['batch', 2, 8] } } });
    const values = randomFloats(12 * 4, 1);
    const expected = await second.run({ x: await first.run({ features: values }) });
    for (let i = 0; i < 5; i++) {
      const given = tensor(values, { shape: [4, 12], device: 'cuda' });
      const hidden = await first.run({ features: given }, { outputs: 'device' });
      expect(hidden.device).toBe('cuda:0');
      const { scores, ids } = await second.run({ x: hidden }, { outputs: 'device' });
      expect([await bitsOf(scores), await bitsOf(ids)]).toEqual([bits(expected.scores), bits(expected.ids)]);
      for (const used of [given, hidden, scores, ids]) used.dispose();
    }
  });

  test('may be one value twice, or an input', async () => {
    const module = new Lambda(({ x }) => {
      const y = l2Normalize(x);
      return { x, y, again: reshape(y, ['batch', 2, 4]) };
    });
    const program = await compile(module, { inputs: { x } });
    const values = randomFloats(16, 5);
    const expected = await program.run({ x: values });
    for (let i = 0; i < 3; i++) {
      const found = await program.run({ x: values }, { outputs: 'device' });
      for (const name of ['x', 'y', 'again'] as const) {
        expect(found[name].device).toBe('cuda:0');
        expect(await bitsOf(found[name]), name).toEqual(bits(expected[name]));
      }
    }
  });

  test('leave other inputs alone when no step reads them', async () => {
    const unused = { dtype: 'float32', shape: ['batch', 64] } as const;
    const program = await compile(new Lambda(({ x }) => l2Normalize(x)), { inputs: { x, unused } });
    const values = Float32Array.from({ length: 32 }, (_, i) => 1 + (i % 8));
    const found = await program.run({ x: values, unused: new Float32Array(256).fill(9) });
    const expected = await l2Normalize(tensor(values, { shape: [4, 8] }));
    expect(bits(found as never)).toEqual(bits(expected as never));
  });

  test('are inputs and results of runs in flight that are disposed at once', async () => {
    const program = await compile(new Tower(), { inputs: { features } });
    const values = randomFloats(12 * 33, 2);
    const expected = bits(await program.run({ features: values }));
    const given = tensor(values, { shape: [33, 12], device: 'cuda' });
    const runs = [1, 2, 3].map(() => program.run({ features: given }, { outputs: 'device' }));
    given.dispose();
    program.dispose();
    for (const run of runs) expect(await bitsOf(await run)).toEqual(expected);
  });

  test('are parameters of modules too', async () => {
    const module = new Tower();
    const expected = bits(
      await (await compile(module, { inputs: { features } })).run({ features: randomFloats(12, 1) }),
    );
    const weight = module.norm.weight;
    Object.assign(module.norm, { weight: await weight.to('cuda') });
    const program = await compile(module, { inputs: { features } });
    expect(bits(await program.run({ features: randomFloats(12, 1) }))).toEqual(expected);
    const onCpu = await compile(module, { inputs: { features }, device: 'cpu' });
    expect((await onCpu.run({ features: randomFloats(12, 1) })).shape).toEqual([1, 2, 8]);
  });

  test('on a GPU are no inputs of a program on the CPU', async () => {
    const program = await compile(new Tower(), { inputs: { features }, device: 'cpu' });
    const given = tensor(new Float32Array(12), { shape: [1, 12], device: 'cuda' });
    await expectCode('INVALID_ARGUMENT', () => program.run({ features: given }));
  });
});

test('a run that is aborted before it is launched leaves the next ones alone', async () => {
  const program = await compile(new Deep(64, 8), { inputs: { x: { dtype: 'float32', shape: ['batch', 64] } } });
  const input = randomFloats(64 * 16, 5);
  const expected = bits(await program.run({ x: input }));
  for (let i = 0; i < 4; i++) {
    const controller = new AbortController();
    const runs = [
      program.run({ x: input }),
      program.run({ x: input }, { signal: controller.signal }),
      program.run({ x: input }),
    ];
    controller.abort();
    const results = await Promise.allSettled(runs);
    expect(results[1]).toMatchObject({ reason: { code: 'ABORTED' } });
    for (const result of [results[0], results[2]]) {
      expect(bits((result as PromiseFulfilledResult<Tensor>).value as never)).toEqual(expected);
    }
  }
});
