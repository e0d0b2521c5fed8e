import { describe, expect, test } from 'vitest';
import {
  Embedding,
  EmbeddingBag,
  LayerNorm,
  Linear,
  MixtureOfLogits,
  Mlp,
  OverArch,
  Sequential,
  ValueModel,
} from '../../lib/nn/index.js';
import { Module } from '../../lib/nn/module.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { failure } from '../failure.js';
import { randomTensor, Tower } from './modules.js';

class WithBuffer extends Module {
  protected override readonly bufferNames = ['index'];
  readonly weight = randomTensor([3], 1);
  readonly index = tensor(Int32Array.of(1, 2, 3));
  readonly towers = [new Linear(2, 3), new Linear(3, 4)];
  readonly notes = 'no tensor';

  forward(): never {
    throw new Error('never traced');
  }
}

const TOWER = ['norm.weight', 'norm.bias', ...layers('mlp', 2)];

describe('names', () => {
  test("are PyTorch's, for every module", () => {
    const shapes = (module: Module) => Object.fromEntries([...module.parameters()].map(([n, t]) => [n, t.shape]));
    expect(shapes(new Linear(3, 2))).toEqual({ weight: [2, 3], bias: [2] });
    expect(shapes(new Linear(3, 2, { bias: false }))).toEqual({ weight: [2, 3] });
    expect(shapes(new LayerNorm(5))).toEqual({ weight: [5], bias: [5] });
    expect(shapes(new Embedding(9, 4))).toEqual({ weight: [9, 4] });
    expect(shapes(new EmbeddingBag(9, 4))).toEqual({ weight: [9, 4] });
    expect(shapes(new Mlp([3, 4, 2]))).toEqual({
      'layers.0.weight': [4, 3],
      'layers.0.bias': [4],
      'layers.1.weight': [2, 4],
      'layers.1.bias': [2],
    });
    expect(shapes(new Sequential(new LayerNorm(3), new Mlp([3, 2])))).toEqual({
      '0.weight': [3],
      '0.bias': [3],
      '1.layers.0.weight': [2, 3],
      '1.layers.0.bias': [2],
    });
    const overArch = new OverArch({ dims: 4, heads: 2, features: 3, hidden: [6], tasks: ['a', 'b'] });
    expect(shapes(overArch)).toEqual({
      'layers.0.weight': [6, 2 * 4 + 4 + 2 * 4 + 3],
      'layers.0.bias': [6],
      'layers.1.weight': [2, 6],
      'layers.1.bias': [2],
    });
    const components = { userComponents: 3, itemComponents: 2, componentDims: 5 };
    const mixture = new MixtureOfLogits({ dims: 4, heads: 2, features: 3, tasks: ['a', 'b'], ...components });
    expect(shapes(mixture)).toEqual({
      'user.weight': [3 * 5, 2 * 4],
      'user.bias': [3 * 5],
      'item.weight': [2 * 5, 4 + 3],
      'item.bias': [2 * 5],
      'userGate.weight': [2 * 6, 2 * 4],
      'userGate.bias': [2 * 6],
      'itemGate.weight': [2 * 6, 4 + 3],
      'itemGate.bias': [2 * 6],
      'crossGate.weight': [2 * 6, 6],
    });
    expect(mixture.loadStateDict(mixture.stateDict())).toEqual({ missing: [], unexpected: [] });
  });

  test('of buffers are apart from those of parameters', () => {
    const module = new WithBuffer();
    const parameters = ['weight', 'towers.0.weight', 'towers.0.bias', 'towers.1.weight', 'towers.1.bias'];
    expect([...module.parameters().keys()]).toEqual(parameters);
    expect([...module.buffers().keys()]).toEqual(['index']);
    expect([...module.stateDict().keys()]).toEqual([...parameters, 'index']);
    expect([...new ValueModel('2 * score').buffers().keys()]).toEqual(['steps', 'constants']);
    expect(module.children().map(([name]) => name)).toEqual(['towers.0', 'towers.1']);
  });
});

describe('initial weights', () => {
  test('are random, bounded, and the same for the same sizes', () => {
    const weights = () => (new Linear(64, 32).weight as Tensor<'float32'>).view();
    expect(weights()).toEqual(weights());
    expect(Math.max(...weights().map(Math.abs))).toBeLessThanOrEqual(1 / 8);
    expect(new Set(weights()).size).toBeGreaterThan(2000);
  });

  test('need sizes that make sense', () => {
    for (const size of [0, -1, 1.5, Number.NaN]) {
      expect(failure(() => new Linear(size, 3)).code).toBe('INVALID_ARGUMENT');
      expect(failure(() => new Mlp([3, size])).code).toBe('INVALID_ARGUMENT');
      expect(failure(() => new Embedding(3, size)).code).toBe('INVALID_ARGUMENT');
    }
    const options = { dims: 4, hidden: [8], tasks: ['a'] };
    expect(failure(() => new OverArch({ ...options, tasks: [] })).code).toBe('INVALID_ARGUMENT');
    expect(failure(() => new OverArch({ ...options, tasks: ['a', 'a'] })).code).toBe('INVALID_ARGUMENT');
    expect(failure(() => new OverArch({ ...options, hidden: [8, 8, 8, 8, 8, 8] })).code).toBe('LIMIT_EXCEEDED');
    for (const wrong of [{ tasks: [] }, { tasks: ['a', 'a'] }, { temperature: 0 }, { itemComponents: 0 }]) {
      const mixture = () => new MixtureOfLogits({ dims: 4, tasks: ['a'], ...wrong });
      expect(failure(mixture).code).toBe('INVALID_ARGUMENT');
    }
  });
});

describe('loadStateDict', () => {
  test('replaces tensors by name, and hands back what it took', () => {
    const [from, to] = [new Tower(), new Tower()];
    const bias = randomTensor([16], 9);
    from.loadStateDict(new Map([['mlp.layers.0.bias', bias]]), { strict: false });
    expect(from.stateDict().get('mlp.layers.0.bias')).toBe(bias);
    expect(to.loadStateDict(from.stateDict())).toEqual({ missing: [], unexpected: [] });
    expect(to.stateDict().get('mlp.layers.0.bias')?.view()).toEqual(bias.view());
  });

  test('takes what readSafetensors gives', () => {
    const layer = new Linear(2, 1);
    const entries = new Map([
      ['weight', { dtype: 'float32', shape: [1, 2], data: Float32Array.of(3, 4) }],
      ['bias', { dtype: 'float32', shape: [1], data: Float32Array.of(5) }],
    ] as const);
    layer.loadStateDict(entries);
    expect([...layer.weight.view(), ...(layer.bias?.view() ?? [])]).toEqual([3, 4, 5]);
  });

  test('is strict unless told otherwise', () => {
    const module = new Tower();
    const partial = new Map([
      ['norm.weight', randomTensor([12], 1)],
      ['head.weight', randomTensor([12], 2)],
    ]);
    const missing = TOWER.filter((name) => name !== 'norm.weight');
    const error = failure(() => module.loadStateDict(partial));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', missing, unexpected: ['head.weight'] });
    expect(module.stateDict().get('norm.weight')?.view()[0]).toBe(1);
    expect(module.loadStateDict(partial, { strict: false })).toEqual({ missing, unexpected: ['head.weight'] });
    expect(module.stateDict().get('norm.weight')).toBe(partial.get('norm.weight'));
  });

  test('replaces nothing when anything does not fit', () => {
    const module = new WithBuffer();
    const before = module.stateDict();
    for (const [name, wrong, code] of [
      ['towers.1.weight', randomTensor([3, 4], 1), 'SHAPE_MISMATCH'],
      ['towers.1.bias', randomTensor([4, 1], 1), 'SHAPE_MISMATCH'],
      ['weight', tensor(Int32Array.of(1, 2, 3)), 'UNSUPPORTED_DTYPE'],
      ['index', tensor([1, 2, 3]), 'UNSUPPORTED_DTYPE'],
    ] as const) {
      const error = failure(() => module.loadStateDict(new Map([...before, [name, wrong]])));
      expect(error).toMatchObject({ code, name: 'SilverlodeError' });
      expect(error.message).toContain(name);
      for (const [key, value] of module.stateDict()) expect(value, key).toBe(before.get(key));
    }
  });

  test('takes weights of any float dtype', () => {
    const layer = new Linear(2, 1);
    for (const dtype of ['float16', 'bfloat16', 'float32'] as const) {
      layer.loadStateDict(new Map([['weight', tensor([1, 2], { dtype, shape: [1, 2] })]]), { strict: false });
      expect(layer.weight.dtype).toBe(dtype);
    }
  });
});

function layers(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => [`${prefix}.layers.${i}.weight`, `${prefix}.layers.${i}.bias`]).flat();
}
