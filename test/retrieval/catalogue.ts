// Random catalogues with a reference beside each published model.
import type { PublishOptions, RetrievalModel, RetrieveRequest, RetrieveResult } from 'silverlode';
import { expect } from 'vitest';
import type { Random } from '../../lib/data/random.js';
import { formatFilter, randomAttributes, randomFilter } from '../filter/random_filter.js';
import { columnsOf } from '../index/catalogue.js';
import { type ReferenceCatalogue, type ReferenceRequest, ReferenceRetrieval } from '../reference/retrieval.js';
import { publish } from './publish.js';

export interface CatalogueOptions {
  items: number;
  dims: number;
  metric?: 'ip' | 'cosine' | 'l2';
  /** Priors for all items. */
  bias?: boolean;
  /** Attributes of every type, with gaps. */
  attributes?: boolean;
}

/** Gaussian items, some of them equal, so that ties are met. */
export function randomCatalogue(random: Random, options: CatalogueOptions): ReferenceCatalogue {
  const { items, dims, metric } = options;
  const data = randomVectors(random, items, dims);
  for (let item = 10; item < items; item += 10) data.copyWithin(item * dims, (item - 1) * dims, item * dims);
  return {
    items,
    dims,
    data,
    metric,
    bias: options.bias ? Float32Array.from({ length: items }, () => random.normal()) : undefined,
    attributes: options.attributes ? randomAttributes(random, items) : undefined,
  };
}

export function randomVectors(random: Random, count: number, dims: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count * dims }, () => random.normal());
}

/** Publishes it, not rotated unless options say so; ids are the ordinals. */
export function publishCatalogue(
  catalogue: ReferenceCatalogue,
  options: Omit<PublishOptions, 'items'> = {},
): Promise<RetrievalModel> {
  const { items, dims, data, metric, bias, attributes } = catalogue;
  return publish({
    ...options,
    items: {
      ids: Int32Array.from({ length: items }, (_, i) => i),
      embeddings: { data, shape: [items, dims] },
      attributes: attributes && columnsOf(attributes),
    },
    index: { metric, bias: bias && Float32Array.from(bias), rotate: false, ...options.index },
  });
}

/** A request in both forms. */
export interface RandomRequest {
  given: RetrieveRequest;
  reference: ReferenceRequest;
}

/** A request with any mixture of filter, exclude and heads; the filter as text or as a tree. */
export function randomRequest(random: Random, catalogue: ReferenceCatalogue, heads = 1): RandomRequest {
  const { items, dims, attributes } = catalogue;
  const vectors = Array.from({ length: heads }, () => randomVectors(random, 1, dims));
  const k = random.pick([1, 2, 10, 100, items, 3 * items]);
  const filter = attributes && random.chance(0.6) ? randomFilter(random, attributes, random.integer(4)) : undefined;
  const exclude = random.chance(0.4)
    ? new Set(Array.from({ length: random.integer(items) }, () => random.integer(items)))
    : undefined;
  const text = filter && random.chance(0.5) ? formatFilter(filter, random) : filter;
  return {
    given: { embedding: heads === 1 ? vectors[0] : vectors, k, filter: text, exclude },
    reference: { heads: vectors, k, filter, exclude },
  };
}

/** Ids and scores are those of the reference, to the last bit. */
export function expectAnswer(result: RetrieveResult, reference: ReferenceRetrieval, request: ReferenceRequest): void {
  const expected = reference.retrieve(request);
  expect(result.ids).toEqual(expected.map(({ id }) => id));
  expect([...result.scores]).toEqual(expected.map(({ score }) => score));
}

/** What of a result is the same everywhere. */
export function answerOf(result: unknown): { ids: unknown[]; scores: number[]; tasks?: Record<string, number[]> } {
  const { ids, scores, tasks } = result as RetrieveResult;
  const plain = tasks && Object.fromEntries(Object.entries(tasks).map(([name, values]) => [name, [...values]]));
  return { ids, scores: [...scores], ...(plain ? { tasks: plain } : {}) };
}

export { ReferenceRetrieval };
