// Random requests against a model that changes, and what they must give.
import type { RetrievalModel, RetrieveRequest, RetrieveResult } from 'silverlode';
import { expect } from 'vitest';
import type { Random } from '../../lib/data/random.js';
import type { FilterNode } from '../../lib/filter/ast.js';
import { DIMS, FIELDS, type Mirror } from './mirror.js';

interface Query {
  heads: Float32Array[];
  k: number;
  filter: FilterNode | undefined;
  exclude: number[] | undefined;
}

export function randomQuery(random: Random, ids: readonly number[], fields: ReadonlySet<string>, heads = 1): Query {
  return {
    heads: Array.from({ length: heads }, () => Float32Array.from({ length: DIMS }, () => random.normal())),
    k: random.pick([1, 5, 50, 1000]),
    filter: random.chance(0.7) ? randomFilter(random, fields, random.integer(3)) : undefined,
    exclude: random.chance(0.4) ? Array.from({ length: random.integer(30) }, () => random.pick(ids)) : undefined,
  };
}

export function toRequest({ heads, k, filter, exclude }: Query): RetrieveRequest {
  // All clusters: IVF then finds what the exhaustive search finds.
  return { embedding: heads.length === 1 ? heads[0] : heads, k, filter, exclude, probes: 1_000_000 };
}

/** Ids and scores of brute force, to the last bit. */
export function expectMirrored(result: RetrieveResult, mirror: Mirror, query: Query): void {
  const ids = mirror.ids;
  const excluded = new Set(query.exclude);
  const exclude = new Set(ids.flatMap((id, place) => (excluded.has(id) ? [place] : [])));
  const reference = mirror.reference();
  const expected = reference.retrieve({ heads: query.heads, k: query.k, filter: query.filter, exclude });
  expect(result.ids).toEqual(expected.map(({ id }) => ids[id]));
  expect([...result.scores]).toEqual(expected.map(({ score }) => score));
  expect(result.stats.eligibleRows).toBe(reference.eligible({ filter: query.filter, exclude }).length);
}

/** Asks several random queries in one batch. */
export async function checkQueries(
  model: RetrievalModel,
  mirror: Mirror,
  random: Random,
  ids: readonly number[],
  fields: ReadonlySet<string>,
): Promise<void> {
  if (mirror.items.size === 0) return;
  const queries = Array.from({ length: 3 }, () => randomQuery(random, ids, fields, random.pick([1, 1, 2])));
  const results = await model.retrieve(queries.map(toRequest));
  results.forEach((result, i) => {
    if (result instanceof Error) throw result;
    expectMirrored(result, mirror, queries[i] as Query);
  });
}

function randomFilter(random: Random, known: ReadonlySet<string>, depth: number): FilterNode {
  if (depth > 0) {
    const inner = () => randomFilter(random, known, depth - 1);
    return random.pick([
      () => ({ not: inner() }),
      () => ({ and: [inner(), inner()] }),
      () => ({ or: [inner(), inner()] }),
    ])();
  }
  const { name, type, multi, pool } = random.pick(FIELDS.filter((field) => known.has(field.name)));
  if (random.chance(0.15)) return { exists: name };
  if ((type === 'int64' || type === 'float64') && !multi && random.chance(0.6))
    return { range: [name, random.pick([{ gte: 1 }, { lt: 1995 }, { gt: 0.5, lte: 2000 }])] };
  const literal = () => String(random.pick([...(pool as readonly unknown[]), type === 'string' ? 'nobody' : pool[0]]));
  return random.chance(0.5) ? { eq: [name, literal()] } : { in: [name, [literal(), literal()]] };
}
