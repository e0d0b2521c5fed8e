// The task that both sides of the comparison do, from one seed: tower, filtered search, reranker, value formula.
import { Random } from '../../lib/data/random.js';
import { type Catalogue, makeCatalogue } from '../../lib/data/synthetic.js';
import { type Layer, type OverArchWeights, randomLayers } from './network.js';

/** How large the task is. */
export interface TaskSize {
  items: number;
  dims: number;
  /** What the search hands to the reranker. */
  candidates: number;
  /** What the user gets. */
  k: number;
  requests: number;
}

export const FULL: TaskSize = { items: 200_000, dims: 128, candidates: 1000, k: 100, requests: 256 };
export const QUICK: TaskSize = { items: 20_000, dims: 64, candidates: 500, k: 100, requests: 64 };

export interface Filter {
  text: string;
  matches: (columns: Catalogue['attributes'], item: number) => boolean;
}

/** Conditions on items: in the filter language, and in TypeScript. About 90 %, half, a third and a tenth of the items match. */
export const FILTERS: readonly Filter[] = [
  { text: 'in_stock:true', matches: ({ in_stock }, item) => in_stock[item] === true },
  { text: 'p50:true', matches: ({ p50 }, item) => p50[item] === true },
  {
    text: 'language:en AND NOT price:>100',
    matches: ({ language, price }, item) => language[item] === 'en' && !((price[item] ?? Number.NaN) > 100),
  },
  { text: 'p10:true', matches: ({ p10 }, item) => p10[item] === true },
];

export interface Task {
  size: TaskSize;
  catalogue: Catalogue;
  /** Maps a user's features to the same numbers, through a hidden layer twice as wide: x = relu(x) - relu(-x). */
  tower: readonly Layer[];
  rerank: OverArchWeights;
  requests: readonly TaskRequest[];
}

export interface TaskRequest {
  features: Float32Array;
  /** Which of {@link FILTERS}. */
  filter: number;
}

/** The value formula, for the model and for plain JavaScript. The weights are random, so the score keeps the order sensible. */
export const VALUE = '4 * score + sigmoid(click) + 0.5 * sigmoid(like)';
export const value = (score: number, click: number, like: number): number =>
  4 * score + sigmoid(click) + 0.5 * sigmoid(like);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The same in every process. */
export function makeTask(size: TaskSize): Task {
  const catalogue = makeCatalogue({ items: size.items, dims: size.dims, queries: size.requests, seed: 5 });
  const random = new Random(7);
  const { dims } = size;
  const row = (index: number) => catalogue.queries.data.subarray(index * dims, (index + 1) * dims);
  return {
    size,
    catalogue,
    tower: identityTower(dims),
    rerank: { dims, layers: randomLayers([3 * dims, 64, 32, 2], random) },
    requests: Array.from({ length: size.requests }, (_, i) => ({
      features: row(i),
      filter: i % FILTERS.length,
    })),
  };
}

function identityTower(dims: number): Layer[] {
  const first = {
    inputs: dims,
    outputs: 2 * dims,
    weight: new Float32Array(2 * dims * dims),
    bias: new Float32Array(2 * dims),
  };
  const second = {
    inputs: 2 * dims,
    outputs: dims,
    weight: new Float32Array(2 * dims * dims),
    bias: new Float32Array(dims),
  };
  for (let dim = 0; dim < dims; dim++) {
    first.weight[dim * dims + dim] = 1;
    first.weight[(dims + dim) * dims + dim] = -1;
    second.weight[dim * 2 * dims + dim] = 1;
    second.weight[dim * 2 * dims + dims + dim] = -1;
  }
  return [first, second];
}

/** Which items match a filter: 1 or 0 per item. */
export function eligibility({ catalogue }: Task, filter: Filter): Uint8Array {
  return Uint8Array.from(catalogue.ids, (item) => Number(filter.matches(catalogue.attributes, item)));
}

/** Share of one true list that was found. */
export function recall(found: readonly number[], truth: readonly number[]): number {
  const own = new Set(found);
  return truth.filter((item) => own.has(item)).length / truth.length;
}
