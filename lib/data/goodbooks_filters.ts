// The data set's filter trees, written in the filter language of this package, with their exact answers.

import { readFile } from 'node:fs/promises';
import { readNpyOf } from '../io/npy.js';
import type { TopLists } from './goodbooks.js';

/** A filter of the data set. */
export interface BookFilter {
  /** In the filter language, e.g. `tags:history AND tags:nonfiction AND year:>=1990`. */
  readonly text: string;
  /** How many books it lets through. */
  readonly eligible: number;
  /** Which: bit `b` of byte `n` is item `8 n + b`. */
  readonly mask: Uint8Array;
  /** Exact top 100 among the eligible books, one row for each of the data set's filter query users. */
  readonly exact: TopLists;
}

type Scalar = string | number;

/** The data set's own notation: one operator per object. */
type FilterTree =
  | { and: FilterTree[] }
  | { or: FilterTree[] }
  | { not: FilterTree }
  | { has: [field: string, value: Scalar] }
  | { eq: [field: string, value: Scalar] }
  | { in: [field: string, values: Scalar[]] }
  | { ge: [field: string, bound: number] }
  | { le: [field: string, bound: number] }
  | { between: [field: string, low: number, high: number] };

/** Reads `filters.json`, the masks and the filtered answers. */
export async function readFilters(path: (name: string) => string): Promise<BookFilter[]> {
  const filters: { ast: FilterTree; eligible: number }[] = JSON.parse(await readFile(path('filters.json'), 'utf8'));
  const masks = await readNpyOf(path('filter_masks_packed_lsb.npy'), 'uint8');
  const ids = await readNpyOf(path('filtered_top100_ids.npy'), 'int32');
  const scores = await readNpyOf(path('filtered_top100_scores.npy'), 'float32');
  const slice = <T extends Uint8Array | Int32Array | Float32Array>(data: T, index: number): T => {
    const size = data.length / filters.length;
    return data.subarray(index * size, (index + 1) * size) as T;
  };
  return filters.map(({ ast, eligible }, index) => ({
    text: filterText(ast),
    eligible,
    mask: slice(masks.data, index),
    exact: { k: ids.shape[2] ?? 0, ids: slice(ids.data, index), scores: slice(scores.data, index) },
  }));
}

/** Translates a tree into the filter language. Every AND and OR inside another operator gets parentheses. */
export function filterText(tree: FilterTree): string {
  if ('and' in tree) return tree.and.map(operand).join(' AND ');
  if ('or' in tree) return tree.or.map(operand).join(' OR ');
  if ('not' in tree) return `NOT ${operand(tree.not)}`;
  if ('has' in tree) return `${tree.has[0]}:${literal(tree.has[1])}`;
  if ('eq' in tree) return `${tree.eq[0]}:${literal(tree.eq[1])}`;
  if ('in' in tree) return `${tree.in[0]}:(${tree.in[1].map(literal).join(' OR ')})`;
  if ('ge' in tree) return `${tree.ge[0]}:>=${tree.ge[1]}`;
  if ('le' in tree) return `${tree.le[0]}:<=${tree.le[1]}`;
  const [field, low, high] = tree.between;
  return `${field}:[${low} TO ${high}]`;
}

function operand(tree: FilterTree): string {
  return 'and' in tree || 'or' in tree ? `(${filterText(tree)})` : filterText(tree);
}

/** A plain word or number stays bare; anything else is quoted. */
function literal(value: Scalar): string {
  if (typeof value === 'number') return String(value);
  const isBare = /^[A-Za-z0-9][\w./-]*$/.test(value) && !/^(?:AND|OR|NOT|TO|EXISTS)$/.test(value);
  return isBare ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
