import { describe, expect, test } from 'vitest';
import { Linear, Mlp } from '../../lib/nn/index.js';
import { call, Module } from '../../lib/nn/module.js';
import { add, concat, l2Normalize, linear, reshape, topK } from '../../lib/ops/index.js';
import { compile, trace } from '../../lib/program/compile.js';
import { SymbolicTensor, Trace } from '../../lib/program/trace.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { failure } from '../failure.js';
import { Lambda } from './lambda.js';
import { OFFSET, PICKER_INPUTS, Picker, Tower } from './modules.js';

const features = { dtype: 'float32', shape: ['batch', 12] } as const;

describe('a recorded program', () => {
  test('names symbols, inputs, parameters and where each step stands', () => {
    const { spec, constants, names } = trace(new Tower(), { features });
    expect(names).toBeUndefined();
    expect(spec.symbols).toEqual(['batch']);
    expect(spec.inputs).toEqual([{ name: 'features', dtype: 'float32', shape: [-1, 12] }]);
    expect(spec.constants.map(({ name }) => name)).toEqual([
      'norm.weight',
      'norm.bias',
      'mlp.layers.0.weight',
      'mlp.layers.0.bias',
      'mlp.layers.1.weight',
      'mlp.layers.1.bias',
    ]);
    expect(constants.map(({ shape }) => shape)).toEqual(spec.constants.map(({ shape }) => shape));
    expect(spec.steps.map(({ op, label }) => [op, label])).toEqual([
      ['layer_norm', 'norm'],
      ['linear', 'mlp.layers.0'],
      ['linear', 'mlp.layers.1'],
      ['reshape', ''],
      ['l2_normalize', ''],
    ]);
    expect(spec.steps[0]).toMatchObject({ attributes: { epsilon: 1e-5 }, inputs: [0, 1, 2], outputs: 1 });
    expect(spec.steps[3]).toMatchObject({ attributes: { shape: [-1, 2, 8] } });
    expect(spec.outputs).toEqual([11]);
  });

  test('names the steps of children that take records', () => {
    const normalise = new Lambda(({ x }) => l2Normalize(x));
    const { spec } = trace(new Lambda((inputs) => call('normalise', normalise, inputs)), { x: features });
    expect(spec.steps.map(({ label }) => label)).toEqual(['normalise']);
  });

  test('has nested inputs under dotted names, several symbols and several outputs', () => {
    const { spec, constants, names } = trace(new Picker(), PICKER_INPUTS);
    expect(spec.symbols).toEqual(['batch', 'k']);
    expect(spec.inputs.map(({ name }) => name)).toEqual(['user.id', 'user.age', 'context']);
    expect(spec.constants.map(({ name }) => name)).toEqual(['project.weight', 'project.bias', 'constant.2']);
    expect(constants[2]).toBe(OFFSET);
    expect(names).toEqual(['scores', 'best', 'ids']);
    expect(spec.steps.map(({ op, outputs }) => [op, outputs])).toEqual([
      ['concat', 1],
      ['linear', 1],
      ['elementwise', 1],
      ['concat', 1],
      ['top_k', 3],
    ]);
    expect(spec.steps.at(-1)?.attributes).toEqual({ k: -2 });
    expect(spec.outputs).toEqual([8, 10, 11]);
  });

  test('is plain data', () => {
    const { spec } = trace(new Picker(), PICKER_INPUTS);
    expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
  });

  test('uses a tensor once however often it is read, and marks operands that are left out', () => {
    const shared = tensor(new Float32Array(9), { shape: [3, 3] });
    const { spec } = trace(new Lambda(({ x }) => linear(linear(x, shared), shared)), { x: vector(3) });
    expect(spec.constants).toHaveLength(1);
    expect(spec.steps.map(({ inputs }) => inputs)).toEqual([
      [0, 1, -1],
      [2, 1, -1],
    ]);
  });

  test('may hand an input or a parameter straight back', async () => {
    const weights = tensor([1, 2, 3]);
    const module = new Lambda(({ x }) => ({ x, weights: x.trace.constant(weights), view: reshape(x, ['n', 3, 1]) }));
    const program = await compile(module, { inputs: { x: { dtype: 'float32', shape: ['n', 3] } } });
    const outputs = await program.run({ x: [4, 5, 6, 7, 8, 9] });
    expect(outputs.x.view()).toEqual(Float32Array.of(4, 5, 6, 7, 8, 9));
    expect(outputs.weights.view()).toEqual(Float32Array.of(1, 2, 3));
    expect(outputs.view.shape).toEqual([2, 3, 1]);
    program.dispose();
  });
});

describe('symbolic shapes', () => {
  test('show through to the modules', () => {
    const shapes: unknown[] = [];
    trace(
      new Lambda(({ x }) => {
        const k = topK(x, { k: 'k' }).scores;
        const view = reshape(x, ['batch', 2, 6]);
        for (const { dtype, shape } of [x, k, view, concat([view, view])]) shapes.push([dtype, shape]);
        return k;
      }),
      { x: features },
    );
    expect(shapes).toEqual([
      ['float32', ['batch', 12]],
      ['float32', ['batch', 'k']],
      ['float32', ['batch', 2, 6]],
      ['float32', ['batch', 2, 12]],
    ]);
  });

  test('of different names are different dimensions', () => {
    const inputs = { a: { dtype: 'float32', shape: ['n'] }, b: { dtype: 'float32', shape: ['m'] } } as const;
    expect(failure(() => trace(new Lambda(({ a, b }) => add(a, b)), inputs)).code).toBe('SHAPE_MISMATCH');
    expect(trace(new Lambda(({ a, b }) => add(a, b)), { ...inputs, b: inputs.a }).spec.symbols).toEqual(['n']);
  });

  test('of a reshape are settled when sizes are known', async () => {
    const x = { dtype: 'float32', shape: ['batch', 12] } as const;
    await expect(compile(new Lambda(({ x }) => reshape(x, ['batch', 5])), { inputs: { x } })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });
});

describe('mistakes surface while tracing', () => {
  test('and name the module they are in', () => {
    const error = failure(() => trace(new Broken(), { x: vector(3) }));
    expect(error).toMatchObject({ code: 'SHAPE_MISMATCH', module: 'tower.layers.1' });
    expect(error.message).toContain('tower.layers.1');
    expect(error.message).toContain('linear');
  });

  test('in the outermost module without a path', () => {
    const error = failure(() => trace(new Lambda(({ x }) => topK(x, { k: 0 }).ids), { x: vector(3) }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    const other = failure(() => trace(new Lambda(({ x }) => linear(x, OFFSET)), { x: vector(6) }));
    expect(other.code).toBe('SHAPE_MISMATCH');
    expect(other.module).toBeUndefined();
  });

  test('for results that are no symbolic tensors', () => {
    for (const result of [undefined, null, 3, {}, { a: 3 }, [], tensor([1])]) {
      const error = failure(() => trace(new Lambda(() => result as never), { x: vector(3) }));
      expect(error.code).toBe('INVALID_ARGUMENT');
    }
  });

  test('for tensors of another trace, and for things that are no tensors', () => {
    const stray = new Trace().input('x', vector(3));
    expect(stray).toBeInstanceOf(SymbolicTensor);
    const run = (forward: Lambda<SymbolicTensor>['body']) =>
      failure(() => trace(new Lambda(forward), { x: vector(3) })).code;
    expect(run(({ x }) => add(x, stray))).toBe('INVALID_ARGUMENT');
    expect(run(() => l2Normalize(stray))).toBe('INVALID_ARGUMENT');
    expect(run(({ x }) => add(x, 3 as never))).toBe('INVALID_ARGUMENT');
    expect(run(({ x }) => add(x, Float32Array.of(3) as never))).toBe('INVALID_ARGUMENT');
  });

  test('for inputs that are not described properly', () => {
    const run = (x: unknown) => failure(() => trace(new Lambda(({ x }) => x), { x: x as never })).code;
    expect(run({ dtype: 'float64', shape: [3] })).toBe('UNSUPPORTED_DTYPE');
    expect(run({ dtype: 'float32', shape: [-1] })).toBe('INVALID_ARGUMENT');
    expect(run({ dtype: 'float32', shape: [1.5] })).toBe('INVALID_ARGUMENT');
    expect(run({ dtype: 'float32', shape: [1, 2, 3, 4, 5, 6, 7] })).toBe('INVALID_ARGUMENT');
  });
});

/** Its inner `tower.layers.1` takes 5 features and is given 4. */
class Broken extends Module {
  readonly tower = new Mlp([3, 4, 2]);

  constructor() {
    super();
    (this.tower.layers as Linear[])[1] = new Linear(5, 2);
  }

  forward({ x }: { x: SymbolicTensor }): SymbolicTensor {
    return call('tower', this.tower, x);
  }
}

function vector(length: number) {
  return { dtype: 'float32', shape: ['batch', length] } as const;
}
