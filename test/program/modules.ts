// Small modules that the tests of tracing, compiling and running share.
import { Random } from '../../lib/data/random.js';
import { LayerNorm, Linear, Mlp } from '../../lib/nn/index.js';
import { call, Module } from '../../lib/nn/module.js';
import { add, concat, l2Normalize, reshape, topK } from '../../lib/ops/index.js';
import type { SymbolicTensor } from '../../lib/program/trace.js';
import { type Tensor, tensor } from '../../lib/tensor/tensor.js';

export const FEATURES = 12;
export const HEADS = 2;
export const DIMS = 8;

/** features [batch, 12] → unit vectors [batch, 2, 8]. */
export class Tower extends Module {
  readonly norm = new LayerNorm(FEATURES);
  readonly mlp = new Mlp([FEATURES, 16, HEADS * DIMS], { activation: 'gelu' });

  forward({ features }: { features: SymbolicTensor }): SymbolicTensor {
    const hidden = call('mlp', this.mlp, call('norm', this.norm, features));
    return l2Normalize(reshape(hidden, ['batch', HEADS, DIMS]));
  }
}

/** Added to every score by `Picker`, though it is none of its parameters. */
export const OFFSET = tensor([0.5, -0.5, 0, 1, 2, 3]);

/** Nested inputs, named outputs, and a symbol (k) that no input tells. */
export class Picker extends Module {
  readonly project = new Linear(5, 6);

  forward({ user, context }: { user: { id: SymbolicTensor; age: SymbolicTensor }; context: SymbolicTensor }) {
    const all = concat([user.id, user.age, context]);
    const scores = add(call('project', this.project, all), OFFSET);
    const best = topK(concat([scores, context]), { k: 'k' });
    return { scores, best: best.scores, ids: best.ids };
  }
}

export const PICKER_INPUTS = {
  user: { id: { dtype: 'float32', shape: ['batch', 2] }, age: { dtype: 'float32', shape: ['batch', 1] } },
  context: { dtype: 'float32', shape: ['batch', 2] },
} as const;

/** Many equal layers, for runs that take a while. */
export class Deep extends Module {
  readonly layers: readonly Linear[];

  constructor(
    readonly width: number,
    depth: number,
  ) {
    super();
    this.layers = Array.from({ length: depth }, () => new Linear(width, width, { activation: 'tanh' }));
  }

  forward({ x }: { x: SymbolicTensor }): SymbolicTensor {
    return this.layers.reduce((value, layer, i) => call(`layers.${i}`, layer, value), x);
  }
}

export function randomFloats(count: number, seed: number): Float32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

export function randomTensor(shape: readonly number[], seed: number): Tensor {
  return tensor(
    randomFloats(
      shape.reduce((product, dim) => product * dim, 1),
      seed,
    ),
    { shape },
  );
}

/** The bits of a float32 tensor, so that NaN and the sign of zero count too. */
export function bits(value: Tensor): Uint32Array {
  const view = value.view();
  return new Uint32Array(view.buffer, view.byteOffset, view.byteLength / 4).slice();
}
