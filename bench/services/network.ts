// Networks in plain JavaScript, written for speed: what a service without a native runtime would do.
import type { Random } from '../../lib/data/random.js';

/** A linear layer with the layout of PyTorch: weight [outputs, inputs]. */
export interface Layer {
  inputs: number;
  outputs: number;
  weight: Float32Array;
  bias: Float32Array;
}

/** An MLP over `[user, item, user * item]`. */
export interface OverArchWeights {
  dims: number;
  layers: readonly Layer[];
}

export function randomLayers(sizes: readonly number[], random: Random): Layer[] {
  return sizes.slice(1).map((outputs, layer) => {
    const inputs = sizes[layer] as number;
    const values = (length: number, scale: number) => Float32Array.from({ length }, () => scale * random.normal());
    return { inputs, outputs, weight: values(outputs * inputs, Math.sqrt(2 / inputs)), bias: values(outputs, 0.1) };
  });
}

/** y = relu(W x + b), or without relu for the last layer. `offset` is where the inputs begin in `x`. */
function linear(
  { inputs, outputs, weight, bias }: Layer,
  x: Float32Array,
  offset: number,
  isLast: boolean,
  y: Float32Array,
) {
  for (let output = 0; output < outputs; output++) {
    const row = output * inputs;
    // Four sums, so that the additions do not wait for one another.
    let a = bias[output] as number;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let input = 0; input < inputs; input += 4) {
      a += (weight[row + input] as number) * (x[offset + input] as number);
      b += (weight[row + input + 1] as number) * (x[offset + input + 1] as number);
      c += (weight[row + input + 2] as number) * (x[offset + input + 2] as number);
      d += (weight[row + input + 3] as number) * (x[offset + input + 3] as number);
    }
    const sum = a + b + c + d;
    y[output] = isLast || sum > 0 ? sum : 0;
  }
}

/** Input sizes are multiples of 4. */
export function forward(layers: readonly Layer[], x: Float32Array): Float32Array {
  return layers.reduce((input, layer, i) => {
    const y = new Float32Array(layer.outputs);
    linear(layer, input, 0, i === layers.length - 1, y);
    return y;
  }, x);
}

/** The first layer for one user: `W' = Wi + Wx diag(u)`, `b' = b + Wu u`, so that a candidate costs a third of the whole layer. */
function fold({ dims, layers }: OverArchWeights, user: Float32Array): Layer[] {
  const [first, ...rest] = layers as [Layer, ...Layer[]];
  const weight = new Float32Array(first.outputs * dims);
  const bias = Float32Array.from(first.bias);
  for (let output = 0; output < first.outputs; output++) {
    const row = output * first.inputs;
    for (let dim = 0; dim < dims; dim++) {
      const own = user[dim] as number;
      bias[output] = (bias[output] as number) + (first.weight[row + dim] as number) * own;
      weight[output * dims + dim] =
        (first.weight[row + dims + dim] as number) + (first.weight[row + 2 * dims + dim] as number) * own;
    }
  }
  return [{ inputs: dims, outputs: first.outputs, weight, bias }, ...rest];
}

/** Logits of candidates, [candidates, tasks]. */
export function rerank(
  network: OverArchWeights,
  user: Float32Array,
  items: Float32Array,
  ids: readonly number[],
): Float32Array {
  const layers = fold(network, user);
  const last = layers.length - 1;
  const tasks = (layers[last] as Layer).outputs;
  const logits = new Float32Array(ids.length * tasks);
  const hidden = layers.map(({ outputs }) => new Float32Array(outputs));
  for (const [i, item] of ids.entries()) {
    for (const [l, layer] of layers.entries()) {
      const input = l === 0 ? items : (hidden[l - 1] as Float32Array);
      linear(layer, input, l === 0 ? item * network.dims : 0, l === last, hidden[l] as Float32Array);
    }
    logits.set(hidden[last] as Float32Array, i * tasks);
  }
  return logits;
}
