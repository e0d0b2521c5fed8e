import { requireKnown } from '../errors.js';
import type { Activation } from '../ops/linear.js';
import type { SymbolicTensor } from '../program/trace.js';
import { Linear } from './linear.js';
import { call, Module } from './module.js';

/** Linear layers `layers.0`, `layers.1`, … of the given sizes, with an activation between them and none after the last. */
export class Mlp extends Module {
  readonly layers: readonly Linear[];

  /** @param sizes Input, hidden and output sizes, at least two. */
  constructor(sizes: readonly number[], options: { activation?: Activation } = {}) {
    super();
    requireKnown('Mlp options', options, ['activation']);
    const last = sizes.length - 2;
    this.layers = sizes.slice(0, -1).map((size, i) => {
      const activation = i === last ? 'none' : (options.activation ?? 'relu');
      return new Linear(size, sizes[i + 1] as number, { activation });
    });
  }

  forward(x: SymbolicTensor): SymbolicTensor {
    return this.layers.reduce((value, layer, i) => call(`layers.${i}`, layer, value), x);
  }
}
