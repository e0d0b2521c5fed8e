// What is asked of a set: lengths of lists, items seen already, filters of every kind, several heads.
import { Random } from '../../lib/data/random.js';
import type { FilterExpr } from '../../lib/filter/ast.js';
import type { RecallSet } from './sets.js';

/** One query, as one embedding per head, with what the truth says of it. */
export interface Asked {
  embeddings: readonly Float32Array[];
  scores: Float64Array;
  /** All items, best first. */
  order: Uint32Array;
}

/** What a case adds to a request, and the items that may then come back. */
export interface Limits {
  filter?: string | FilterExpr;
  exclude?: Int32Array;
  allows(item: number): boolean;
}

/** A question, the same for every query but for what depends on it. */
export interface Case {
  name: string;
  k: number;
  heads: number;
  /** Asked where not the whole suite is. */
  brief: boolean;
  limits(asked: Asked): Limits;
}

const SHARES = [0.9, 0.5, 0.2, 0.1, 0.02, 0.01, 0.001, 0.0001];
const SEEN = [100, 300, 1000, 5000];
const LENGTHS = [10, 100, 1000, 10_000];
/** Values of the attribute `draw`, each of as many items. */
const DRAWS = 10_000;
/** Dimensions that have an attribute of their own: those that differ most between items. */
const DIMENSIONS = 8;
const FIFTHS = 5;
const K = 100;

/** The attributes of a set, by name, and the cases that ask for them. */
export function catalogueOf({ items, groups }: RecallSet): { attributes: Record<string, Int32Array>; cases: Case[] } {
  const random = new Random(5);
  const draw = Int32Array.from({ length: items.shape[0] }, () => random.integer(DRAWS));
  const dimensions = widest(items.data, items.shape);
  const fifths = new Map(dimensions.map((dim) => [dim, fifthsOf(items.data, items.shape, dim)]));
  const attributes = {
    draw,
    group: groups,
    ...Object.fromEntries(Array.from(fifths, ([dim, fifth]) => [`d${dim}`, fifth])),
  };
  const anything: Case['limits'] = () => ({ allows: () => true });
  const seen =
    (count: number): Case['limits'] =>
    ({ order }) => {
      const exclude = Int32Array.from(order.subarray(0, count));
      const among = new Set(exclude);
      return { exclude, allows: (item) => !among.has(item) };
    };
  const drawn =
    (share: number): Case['limits'] =>
    () => ({ filter: `draw:<${share * DRAWS}`, allows: (item) => (draw[item] as number) < share * DRAWS });
  const fifth =
    (side: 'top' | 'bottom'): Case['limits'] =>
    ({ embeddings: [query] }) => {
      const dim = dimensions.reduce((one, other) => (valueAt(query, other) > valueAt(query, one) ? other : one));
      const wanted = side === 'top' ? FIFTHS - 1 : 0;
      const of = fifths.get(dim) as Int32Array;
      return { filter: `d${dim}:${wanted}`, allows: (item) => of[item] === wanted };
    };
  const own = (filter: (group: number) => string, wanted: boolean): Case['limits'] => {
    return ({ order }) => {
      const group = groups[order[0] as number] as number;
      return { filter: filter(group), allows: (item) => (groups[item] === group) === wanted };
    };
  };
  const far: Case['limits'] = ({ scores }) => {
    const chosen = farther(groups, scores);
    const among = new Set(chosen);
    return { filter: { in: ['group', chosen] }, allows: (item) => among.has(groups[item] as number) };
  };
  const one = (name: string, limits: Case['limits'], { k = K, brief = false, heads = 1 } = {}): Case => ({
    name: heads === 1 ? name : `${heads} heads, ${name}`,
    ...{ k, heads, brief, limits },
  });
  const several = (heads: number): Case[] => [
    one('top 100', anything, { heads }),
    one('the 300 nearest seen', seen(300), { heads }),
    one('10 % at random', drawn(0.1), { heads }),
  ];
  const cases = [
    ...LENGTHS.map((k) => one(`top ${k}`, anything, { k, brief: k === 100 || k === 1000 })),
    ...SEEN.map((count) => one(`the ${count} nearest seen`, seen(count), { brief: count === 300 })),
    ...SHARES.map((share) =>
      one(`${share * 100} % at random`, drawn(share), { brief: share === 0.1 || share === 0.02 }),
    ),
    one('top fifth of the largest dimension', fifth('top'), { brief: true }),
    one('bottom fifth of the largest dimension', fifth('bottom')),
    one(
      'not the own group',
      own((group) => `NOT group:${group}`, false),
      { brief: true },
    ),
    one('farther half of the groups', far),
    one(
      'own group only',
      own((group) => `group:${group}`, true),
    ),
    ...several(2),
    ...several(8),
  ];
  return { attributes, cases };
}

/** The truth of one query: rows by descending score, the lower row first where two are equal. */
export function asked(embeddings: Asked['embeddings'], scores: Float64Array): Asked {
  const order = Uint32Array.from(scores.keys());
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  return { embeddings, scores, order };
}

const valueAt = (query: Float32Array | undefined, dim: number): number => query?.[dim] as number;

/** The dimensions of highest variance. */
function widest(data: Float32Array, [rows, dims]: readonly [number, number]): number[] {
  const [sum, squares] = [new Float64Array(dims), new Float64Array(dims)];
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    sum[at % dims] = (sum[at % dims] as number) + value;
    squares[at % dims] = (squares[at % dims] as number) + value * value;
  }
  const variance = squares.map((square, dim) => square / rows - ((sum[dim] as number) / rows) ** 2);
  const order = Array.from({ length: dims }, (_, dim) => dim);
  return order.sort((a, b) => (variance[b] as number) - (variance[a] as number)).slice(0, DIMENSIONS);
}

/** 0 to 4 for every row: the fifth of all rows that its value at a dimension is in. */
function fifthsOf(data: Float32Array, [rows, dims]: readonly [number, number], dim: number): Int32Array {
  const column = Float32Array.from({ length: rows }, (_, row) => data[row * dims + dim] as number);
  const sorted = column.toSorted();
  const bounds = [1, 2, 3, 4].map((part) => sorted[Math.floor((part * rows) / FIFTHS)] as number);
  return Int32Array.from(column, (value) => bounds.filter((bound) => value >= bound).length);
}

/** The half of the groups whose items score lowest in the mean. */
function farther(groups: Int32Array, scores: Float64Array): number[] {
  const count = groups.reduce((most, group) => Math.max(most, group), 0) + 1;
  const [sum, size] = [new Float64Array(count), new Float64Array(count)];
  for (const [item, group] of groups.entries()) {
    sum[group] = (sum[group] as number) + (scores[item] as number);
    size[group] = (size[group] as number) + 1;
  }
  const mean = sum.map((total, group) => total / Math.max(1, size[group] as number));
  const order = Array.from(mean.keys()).sort((a, b) => (mean[a] as number) - (mean[b] as number));
  return order.slice(0, Math.ceil(count / 2));
}
