// State dicts of model.half() and model.bfloat16(): every floating tensor is half precision, biases and layer norms too. What they
// compute is what the same numbers in float32 do.
import { publish } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Embedding, EmbeddingBag, Linear, MixtureOfLogits, OverArch } from '../../lib/nn/index.js';
import { call, Module } from '../../lib/nn/module.js';
import { compile, type InputSpecs } from '../../lib/program/compile.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { widened } from '../reference/half.js';
import { testDevice } from '../support/device.js';
import { bits, FEATURES, randomFloats, Tower } from './modules.js';

type Half = 'float16' | 'bfloat16';

/** Random weights of every parameter as a checkpoint of half precision, and the same numbers in float32. */
function checkpoints(module: Module, dtype: Half) {
  const half = new Map<string, Tensor>();
  const full = new Map<string, Tensor>();
  let seed = 1;
  for (const [name, { shape }] of module.parameters()) {
    const values = randomFloats(
      shape.reduce((product, size) => product * size, 1),
      seed++,
    );
    const own = tensor([...values], { dtype, shape }) as Tensor;
    half.set(name, own);
    full.set(name, tensor(widened(own), { shape }) as Tensor);
  }
  return { half, full };
}

class Words extends Module {
  readonly embedding = new Embedding(20, 8);
  readonly out = new Linear(8, 3);

  forward({ ids }: { ids: SymbolicTensor }) {
    return call('out', this.out, call('embedding', this.embedding, ids));
  }
}

class Bags extends Module {
  readonly embedding = new EmbeddingBag(20, 8, { mode: 'mean' });
  readonly out = new Linear(8, 3);

  forward({ ids, offsets }: { ids: SymbolicTensor; offsets: SymbolicTensor }) {
    return call('out', this.out, call('embedding', this.embedding, ids, offsets));
  }
}

const IDS = Int32Array.of(3, 19, 0, -1);
const MODULES: [string, () => Module, InputSpecs, Record<string, Float32Array | Int32Array>][] = [
  [
    'layer norm and MLP',
    () => new Tower(),
    { features: { dtype: 'float32', shape: ['batch', FEATURES] } },
    { features: randomFloats(2 * FEATURES, 9) },
  ],
  ['embedding', () => new Words(), { ids: { dtype: 'int32', shape: ['batch'] } }, { ids: IDS }],
  [
    'embedding bag',
    () => new Bags(),
    { ids: { dtype: 'int32', shape: ['ids'] }, offsets: { dtype: 'int32', shape: ['batch'] } },
    { ids: IDS.map(Math.abs), offsets: Int32Array.of(0, 2) },
  ],
];

// On a GPU products of half precision are rounded otherwise, so that bits differ there.
describe.runIf(testDevice === 'cpu').each<Half>(['float16', 'bfloat16'])('%s', (dtype) => {
  test.each(MODULES)('%s', async (_, make, inputs, values) => {
    const results = [];
    for (const state of Object.values(checkpoints(make(), dtype))) {
      const module = make();
      expect(module.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
      const program = await compile(module as Tower, { inputs });
      results.push(bits((await program.run(values)) as unknown as Tensor));
      program.dispose();
    }
    expect(results[0]).toEqual(results[1]);
    expect(new Set(results[0]).size).toBeGreaterThan(3);
  });

  const sizes = { dims: 4, features: 2, tasks: ['a', 'b'] };
  test.each([
    ['OverArch', () => new OverArch({ ...sizes, hidden: [8, 5] })],
    [
      'MixtureOfLogits',
      () => new MixtureOfLogits({ ...sizes, userComponents: 2, itemComponents: 2, componentDims: 4 }),
    ],
  ])('%s in a model', async (_, make) => {
    const scores = [];
    for (const state of Object.values(checkpoints(make(), dtype))) {
      const rerank = make();
      rerank.loadStateDict(state);
      await using model = await publish({
        items: {
          ids: [0, 1, 2, 3, 4],
          embeddings: { data: randomFloats(20, 3), shape: [5, 4] },
          features: { data: randomFloats(10, 4), shape: [5, 2], names: ['x', 'y'] },
        },
        rerank,
      });
      const { ids, tasks } = await model.retrieve({ embedding: randomFloats(4, 5), k: 5 });
      scores.push({ ids, tasks });
    }
    expect(scores[0]).toEqual(scores[1]);
  });
});

test('matrices stay halves, vectors and tables of rows become float32', () => {
  const module = new Words();
  module.loadStateDict(checkpoints(module, 'float16').half);
  const dtypes = Object.fromEntries([...module.stateDict()].map(([name, { dtype }]) => [name, dtype]));
  expect(dtypes).toEqual({ 'embedding.weight': 'float32', 'out.weight': 'float16', 'out.bias': 'float32' });
});
