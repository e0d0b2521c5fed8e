import type { Input } from '../cases/mixture_of_logits.js';
import { perCandidate } from './candidates.js';
import { widened } from './half.js';

/** The mixture as mixture_of_logits.h defines it, in float64. */
export function mixtureOfLogits(input: Input): Float64Array {
  const { user, userGates, item, itemGate, crossGate, temperature } = input;
  const [, p, d] = user.shape as [number, number, number];
  const [, tasks, pairs] = userGates.shape as [number, number, number];
  const dim = (item.weight.shape[1] as number) - (input.features?.shape[1] ?? 0);
  return perCandidate(input, dim, tasks, ({ request, item: embedding, features: own }) => {
    const x = [...embedding, ...own];
    const users = rowsOf(widened(user).subarray(request * p * d, (request + 1) * p * d), d);
    const items = rowsOf(affine(x, item), d).map(normalised);
    const scores = users.flatMap((f) => items.map((g) => dot(f, g) / temperature));
    const [ofUser, ofItem] = [widened(userGates).subarray(request * tasks * pairs), affine(x, itemGate)];
    const crossed = crossGate && affine(scores, crossGate);
    const gates = ofItem.map((gate, i) => gate + (ofUser[i] as number) + (crossed?.[i] ?? 0));
    return rowsOf(gates, pairs).map((own) => dot(softmax(own), scores));
  });
}

function affine(x: readonly number[], { weight, bias }: Input['item']): number[] {
  const biases = bias && widened(bias);
  return rowsOf(widened(weight), x.length).map((row, out) => dot(row, x) + (biases?.[out] ?? 0));
}

function rowsOf(values: ArrayLike<number>, width: number): number[][] {
  const all = Array.from(values);
  return Array.from({ length: all.length / width }, (_, row) => all.slice(row * width, (row + 1) * width));
}

function normalised(component: readonly number[]): number[] {
  const norm = Math.hypot(...component);
  return component.map((x) => (norm === 0 ? 0 : x / norm));
}

function softmax(gates: readonly number[]): number[] {
  const largest = Math.max(...gates);
  const powers = gates.map((gate) => Math.exp(gate - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
}
