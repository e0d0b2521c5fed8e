// JSON schemas of what the service takes and gives. Requests are validated by them, and the OpenAPI document shows them.
import type { ServiceLimits } from './options.js';

/** The content type of binary bodies; see `binary.ts` for the layout. */
export const BINARY = 'application/x-silverlode';

const numbers = { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 65_536 } as const;
const id = { anyOf: [{ type: 'string' }, { type: 'integer' }], description: 'bigint ids are decimal strings' } as const;

export const ids = (maxItems: number, description: string) =>
  ({ type: 'array', items: id, maxItems, description }) as const;
export const names = {
  type: 'array',
  items: { type: 'string' },
  maxItems: 1024,
  description: 'attributes and feature columns that come back with each item',
} as const;
/** A bitmap of as many ids as a request may name is shorter. */
const MOST_BITMAP_TEXT = 2 ** 20;

const filterSchema = (limits: ServiceLimits) =>
  ({
    description: 'text of the filter language, or the equivalent tree',
    anyOf: [
      { type: 'string', maxLength: limits.filterLength },
      { type: 'object', additionalProperties: true },
    ],
  }) as const;

/** All of a request but its embedding, which a binary body has in binary. */
function requestFields(limits: ServiceLimits) {
  return {
    user: {
      type: 'object',
      description: 'inputs of the tower: a number, or a list for inputs of several',
      maxProperties: 256,
      additionalProperties: { anyOf: [{ type: 'number' }, { type: 'array', items: { type: 'number' } }] },
    },
    filter: filterSchema(limits),
    like: { ...ids(limits.named, 'instead of an embedding: items whose vectors stand for the user'), minItems: 1 },
    dislike: ids(limits.named, 'with like: items to keep away from'),
    strategy: { type: 'string', enum: ['mean', 'best'], description: 'of like: by the mean, or by the nearest to any' },
    rank: ids(limits.named, 'score and rank exactly these items'),
    allow: {
      description: 'the only items that may come back: ids, or a Roaring bitmap (portable format) in base64',
      anyOf: [ids(limits.named, 'ids'), { type: 'string', maxLength: MOST_BITMAP_TEXT }],
    },
    k: { type: 'integer', minimum: 1, maximum: limits.k, description: 'results wanted; default 100' },
    offset: { type: 'integer', minimum: 0, description: 'results left out before the first; 0 for the first page' },
    minScore: { type: 'number', description: 'least final score of a result' },
    groups: {
      type: 'object',
      description: 'at most so many results of the same value of an attribute',
      additionalProperties: false,
      required: ['field', 'limit'],
      properties: { field: { type: 'string' }, limit: { type: 'integer', minimum: 1 } },
    },
    boost: {
      type: 'array',
      description: 'factors of the final scores of items that satisfy a filter',
      maxItems: 64,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['filter', 'factor'],
        properties: { filter: filterSchema(limits), factor: { type: 'number' } },
      },
    },
    diversity: {
      type: 'object',
      description: 'maximal marginal relevance: 1 orders by score alone',
      additionalProperties: false,
      required: ['mmr'],
      properties: { mmr: { type: 'number', minimum: 0, maximum: 1 } },
    },
    select: names,
    candidates: { type: 'integer', minimum: 1, maximum: limits.candidates, description: 'candidates to rerank' },
    recall: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: 'share of the true list to reach' },
    probes: { type: 'integer', minimum: 1, description: 'instead: clusters per head to look at' },
    count: { type: 'boolean', description: 'count all eligible items; scores every one of them' },
    minCandidates: { type: 'integer', minimum: 1 },
    exact: { type: 'boolean' },
    weights: { type: 'object', maxProperties: 256, additionalProperties: { type: 'number' } },
    exclude: ids(limits.exclude, 'ids never returned'),
    deadlineMs: { type: 'number', minimum: 0 },
  } as const;
}

/** A retrieve request as JSON. */
export function requestSchema(limits: ServiceLimits) {
  return {
    $id: 'RetrieveRequest',
    type: 'object',
    additionalProperties: false,
    properties: {
      embedding: {
        description: 'the user as an embedding, or one per head',
        type: 'array',
        minItems: 1,
        maxItems: 65_536,
        items: { anyOf: [{ type: 'number' }, numbers] },
      },
      ...requestFields(limits),
    },
  } as const;
}

/** The JSON head of a binary request. */
export function binaryHeadSchema(limits: ServiceLimits) {
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      heads: { type: 'integer', minimum: 1, maximum: 1024, description: 'embeddings that follow; default 1' },
      inputs: {
        type: 'object',
        description: 'instead of an embedding: how many numbers of each input of the tower follow',
        maxProperties: 256,
        additionalProperties: { type: 'integer', minimum: 0, maximum: 65_536 },
      },
      ...requestFields(limits),
    },
  } as const;
}

const statsSchema = {
  type: 'object',
  required: ['strategy', 'probedClusters', 'scannedRows', 'eligibleRows', 'doubtfulRows', 'candidates', 'exact'],
  properties: {
    strategy: { type: 'string', enum: ['flat', 'ivf', 'ivf-extended', 'filter-only'] },
    probedClusters: { type: 'integer' },
    scannedRows: { type: 'integer' },
    eligibleRows: { type: 'integer', description: 'among the rows looked at' },
    eligibleItems: { type: 'integer', description: 'in all; where asked for' },
    doubtfulRows: { type: 'integer' },
    candidates: { type: 'integer' },
    exact: { type: 'boolean' },
    falsePositiveRate: { type: 'number' },
    expectedRecall: { type: 'number' },
  },
} as const;

/** Results, best first. */
export const resultSchema = {
  $id: 'RetrieveResult',
  type: 'object',
  required: ['ids', 'scores', 'stats'],
  properties: {
    ids: { type: 'array', items: id },
    scores: { type: 'array', items: { type: ['number', 'null'] }, description: 'null: not a finite number' },
    tasks: {
      type: 'object',
      description: 'raw logits per task',
      additionalProperties: { type: 'array', items: { type: ['number', 'null'] } },
    },
    items: {
      type: 'array',
      items: { type: 'object', additionalProperties: true },
      description: 'of every result what was selected; integers beyond 2^53 are decimal strings',
    },
    next: { type: 'integer', description: 'offset of the next page; not there after the last one' },
    unknown: { type: 'array', items: id, description: 'ids to rank that no item has' },
    stats: statsSchema,
    partial: {
      type: 'object',
      description: 'shards that did not answer, and how many items they hold',
      required: ['shards', 'items'],
      properties: { shards: { type: 'array', items: { type: 'integer' } }, items: { type: 'integer' } },
    },
  },
} as const;

export const errorSchema = {
  $id: 'Error',
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: { code: { type: 'string' }, message: { type: 'string' } },
      additionalProperties: true,
    },
  },
} as const;

const versionFields = {
  name: { type: 'string' },
  version: { type: 'integer' },
  label: { type: 'string' },
  state: { type: 'string', enum: ['serving', 'draining', 'retired'] },
  items: { type: 'integer' },
  dims: { type: 'integer' },
  bytes: { type: 'integer' },
  loadedAt: { type: 'string', format: 'date-time' },
} as const;
const versionRequired = ['name', 'version', 'state', 'items', 'dims', 'bytes', 'loadedAt'] as const;

export const versionSchema = {
  $id: 'Version',
  type: 'object',
  required: versionRequired,
  properties: versionFields,
} as const;

const texts = { type: 'array', items: { type: 'string' } } as const;
const named = (properties: Readonly<Record<string, object>>) => ({
  type: 'array',
  items: { type: 'object', required: Object.keys(properties), properties },
});

/** What callers need to know of a model to ask it. */
export const modelSchema = {
  $id: 'Model',
  type: 'object',
  required: [...versionRequired, 'ids', 'heads', 'tower', 'tasks', 'weights', 'columns', 'fields', 'updatable'],
  properties: {
    ...versionFields,
    ids: { type: 'string', enum: ['string', 'number', 'bigint'] },
    heads: { type: ['integer', 'null'], description: 'embeddings per user; null: any number' },
    tower: { type: ['array', 'null'], items: { type: 'string' }, description: 'inputs of the tower, null without one' },
    tasks: texts,
    weights: named({ name: { type: 'string' }, default: { type: 'number' } }),
    columns: texts,
    fields: named({ name: { type: 'string' }, type: { type: 'string' }, multi: { type: 'boolean' } }),
    updatable: { type: 'boolean' },
    freshness: { type: 'object', description: 'where its updates stand', additionalProperties: true },
  },
} as const;

const histogram = {
  type: 'object',
  required: ['bounds', 'counts', 'sum', 'count'],
  properties: {
    bounds: { type: 'array', items: { type: 'number' } },
    counts: { type: 'array', items: { type: 'integer' } },
    sum: { type: 'number' },
    count: { type: 'integer' },
  },
} as const;

export const statisticsSchema = {
  $id: 'Statistics',
  type: 'object',
  required: ['version', 'queued', 'running', 'accepted', 'answered', 'failed', 'batchSizes', 'waits', 'runs', 'stages'],
  properties: {
    version: { type: 'integer' },
    queued: { type: 'integer' },
    running: { type: 'integer' },
    accepted: { type: 'integer' },
    answered: { type: 'integer' },
    failed: { type: 'object', description: 'by error code', additionalProperties: { type: 'integer' } },
    batchSizes: histogram,
    waits: { ...histogram, description: 'milliseconds from the call to its run' },
    runs: { ...histogram, description: 'milliseconds of runs' },
    stages: { type: ['object', 'null'], description: 'a recent request, stage by stage', additionalProperties: true },
  },
} as const;

/** The only form of a model's name in a route. */
export const nameParams = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' } },
} as const;

/** Failures that every route may have. */
export const failures = {
  '4xx': { description: "the caller's fault; 429 when too many requests wait", $ref: 'Error#' },
  '5xx': { description: 'the deadline has passed (503), or something failed inside', $ref: 'Error#' },
} as const;
