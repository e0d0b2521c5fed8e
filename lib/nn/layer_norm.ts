import { layerNorm } from '../ops/layer_norm.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { Module } from './module.js';

/** Layer normalisation over the last dimension with learned `weight` and `bias` [dims]. */
export class LayerNorm extends Module {
  weight: Tensor;
  bias: Tensor;

  constructor(
    dims: number,
    readonly epsilon = 1e-5,
  ) {
    super();
    this.weight = tensor(new Float32Array(dims).fill(1));
    this.bias = tensor(new Float32Array(dims));
  }

  forward(x: SymbolicTensor): SymbolicTensor {
    return layerNorm(x, { weight: this.weight, bias: this.bias, epsilon: this.epsilon });
  }
}
