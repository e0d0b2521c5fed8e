import type { Input } from '../cases/over_arch.js';
import { activations } from './activation.js';
import { perCandidate } from './candidates.js';
import { fma } from './fma.js';
import { widened } from './half.js';
import { dense } from './linear.js';

/** What the network means: an MLP over [u, i, u_h * i for each head, f], in float64. */
export function overArch(input: Input): Float64Array {
  const activate = activations[input.activation] as (x: number) => number;
  return perPair(input, ({ users, item, features }) => {
    const crossed = users.flatMap((user) => user.map((x, d) => x * (item[d] as number)));
    let values = [...users.flat(), ...item, ...crossed, ...features];
    input.layers.forEach(({ weight, bias }, layer) => {
      const [weights, biases] = [widened(weight), bias && widened(bias)];
      values = Array.from({ length: weight.shape[0] as number }, (_, out) => {
        const row = weights.subarray(out * values.length, (out + 1) * values.length);
        const sum = values.reduce((total, x, k) => total + x * (row[k] as number), 0) + (biases?.[out] ?? 0);
        return layer < input.layers.length - 1 ? activate(sum) : sum;
      });
    });
    return values;
  });
}

/** The same with the first layer folded per request, in the float32 steps that over_arch.h promises. */
export function foldedOverArch(input: Input): Float64Array {
  const [{ weight, bias }, ...later] = input.layers as [Input['layers'][number], ...Input['layers']];
  const [out, width] = weight.shape as [number, number];
  const [weights, biases] = [widened(weight), bias && widened(bias)];
  return perPair(input, ({ users, item, features }) => {
    const [heads, dim] = [users.length, item.length];
    const user = users.flat();
    const values = Float32Array.from([...item, ...features]);
    const folded = new Float32Array(out * values.length);
    const foldedBias = new Float32Array(out);
    for (let o = 0; o < out; o++) {
      const at = (column: number) => weights[o * width + column] as number;
      for (let d = 0; d < dim; d++) {
        const cross = (h: number) => at((heads + 1 + h) * dim + d);
        const start = at(heads * dim + d);
        folded[o * values.length + d] = users.reduce((sum, u, h) => fma(cross(h), u[d] as number, sum), start);
      }
      for (const f of features.keys()) folded[o * values.length + dim + f] = at((2 * heads + 1) * dim + f);
      const own = user.reduce((sum, u, k) => fma(at(k), u, sum), 0);
      foldedBias[o] = biases ? own + (biases[o] as number) : own;
    }
    const last = input.layers.length - 1;
    const activation = (layer: number) => (layer === last ? 'none' : input.activation);
    const first = dense(values, folded, foldedBias, [1, values.length, out], activation(0));
    return [
      ...later.reduce((x, next, i) => {
        const sizes = [1, x.length, next.weight.shape[0] as number] as const;
        return dense(x, widened(next.weight), next.bias && widened(next.bias), sizes, activation(i + 1));
      }, first),
    ];
  });
}

interface Pair {
  users: number[][];
  item: number[];
  features: number[];
}

function perPair(input: Input, score: (pair: Pair) => number[]): Float64Array {
  const { user, layers } = input;
  const [, heads, dim] = user.shape as [number, number, number];
  const tasks = layers.at(-1)?.weight.shape[0] as number;
  return perCandidate(input, dim, tasks, ({ request, item, features }) => {
    const users = Array.from({ length: heads }, (_, h) => [
      ...widened(user).subarray((request * heads + h) * dim, (request * heads + h + 1) * dim),
    ]);
    return score({ users, item, features });
  });
}
