import { requireKnown } from '../errors.js';
import { type Activation, linear } from '../ops/linear.js';
import type { SymbolicTensor } from '../program/trace.js';
import { Tensor } from '../tensor/tensor.js';
import { initialise } from './initialise.js';
import { Module } from './module.js';

/** `activation(x Wᵀ + b)`; `weight` [out, in] and `bias` [out] as in PyTorch, initialised from a fixed seed. */
export class Linear extends Module {
  weight: Tensor;
  bias?: Tensor;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: { bias?: boolean; activation?: Activation } = {},
  ) {
    super();
    requireKnown('Linear options', options, ['bias', 'activation']);
    this.weight = initialise([outFeatures, inFeatures], inFeatures);
    if (options.bias ?? true) this.bias = Tensor.allocate('float32', [outFeatures]);
    this.activation = options.activation ?? 'none';
  }

  readonly activation: Activation;

  /** float32 [..., in] → float32 [..., out]. */
  forward(x: SymbolicTensor): SymbolicTensor {
    return linear(x, this.weight, { bias: this.bias, activation: this.activation });
  }
}
