// What a program that searches the main and the fresh segment takes beside the inputs of every retrieval program.
import type { DerivedSizes } from '../../program/program.js';
import type { InputSpec, SymbolicTensor } from '../../program/trace.js';
import type { Tensor } from '../../tensor/tensor.js';

/** What decides which tensors a fresh segment has. */
export interface FreshShape {
  /** Words of the main segment's mask, padded dimensions of its rows, and whether they have a bias. */
  words: number;
  paddedDims: number;
  biased: boolean;
  /** Columns of item features, 0 for none. */
  features: number;
  /** Table that the reranker reads, undefined without one or when it reads the int8 rows. */
  embeddings: { dtype: 'float16' | 'float32'; dims: number } | undefined;
}

/** Rows per filter block and per mask word. */
const BLOCK_ROWS = 512;
const WORD_ROWS = 64;

const ROWS = 'fresh_rows';

/** Per-request inputs of the fresh segment, and the place of every pair among all pairs of a batch. */
const REQUEST = {
  freshPlanIndex: { dtype: 'int32', shape: ['batch'] },
  freshPlanOffsets: { dtype: 'int32', shape: ['fresh_plan_offsets'] },
  freshPlanSteps: { dtype: 'int64', shape: ['fresh_plan_steps', 4] },
  freshExcludeOffsets: { dtype: 'int32', shape: ['batch'] },
  freshExcludeRows: { dtype: 'int32', shape: ['fresh_exclude_rows'] },
} as const satisfies Record<string, InputSpec>;

/** The fresh segment in the layout of the main one: one cluster, its own filter index. */
const SEGMENT = {
  /** int64 [W]: rows of the main segment that are live in this version. */
  mainLive: { dtype: 'int64', shape: [] },
  rows: { dtype: 'int8', shape: [] },
  rowScales: { dtype: 'float32', shape: [ROWS] },
  /** int32: main items + row. */
  ordinals: { dtype: 'int32', shape: [ROWS] },
  /** int32: main rows + row. */
  rowOf: { dtype: 'int32', shape: [ROWS] },
  live: { dtype: 'int64', shape: ['fresh_words'] },
  clusterBegin: { dtype: 'int32', shape: [2] },
  centroids: { dtype: 'int8', shape: [] },
  centroidScales: { dtype: 'float32', shape: [1] },
  slices: { dtype: 'int64', shape: ['fresh_slices', 'fresh_words'] },
  bloom: { dtype: 'int64', shape: ['fresh_positions', 8] },
  bloomOffsets: { dtype: 'int64', shape: ['fresh_block_ends'] },
  columns32: { dtype: 'int32', shape: [0, 0] },
  columns64: { dtype: 'int64', shape: ['fresh_columns', ROWS] },
  termOffsets: { dtype: 'int32', shape: ['fresh_term_ends'] },
  terms: { dtype: 'int32', shape: ['fresh_terms'] },
} as const satisfies Record<string, InputSpec>;

/** Tensors of a fresh segment that not every model has. */
type OptionalName = 'rowBias' | 'features' | 'embeddings';

export type FreshName = keyof typeof SEGMENT | OptionalName;

/** Symbolic inputs of the fresh segment. */
export type FreshInputs = { [Name in keyof typeof SEGMENT]: SymbolicTensor } & {
  [Name in OptionalName]?: SymbolicTensor;
} & { [Name in keyof typeof REQUEST]: SymbolicTensor } & {
  /** int32 [batch, candidates]: 0, 1, 2, … */
  pairs?: SymbolicTensor;
};

/** Sizes that follow from others, here and in `ProgramRunner`. */
export const FRESH_DERIVED: DerivedSizes = {
  pairs: (sizeOf) => sizeOf('batch') * sizeOf('candidates'),
  fresh_words: (sizeOf) => sizeOf(ROWS) / WORD_ROWS,
  fresh_block_ends: (sizeOf) => sizeOf(ROWS) / BLOCK_ROWS + 1,
  fresh_term_ends: (sizeOf) => sizeOf(ROWS) + 1,
};

/** Capacities are generous, since little memory follows from them, so that a growing segment stays in one bucket. */
export const FRESH_FLOORS: Readonly<Record<string, number>> = {
  [ROWS]: 16_384,
  fresh_slices: 1024,
  fresh_positions: 65_536,
  fresh_columns: 64,
  fresh_terms: 262_144,
  fresh_plan_offsets: 128,
  fresh_plan_steps: 512,
  fresh_exclude_rows: 65_536,
};

/** What a fresh segment needs to know about the tensors of a model, looked up by their names in the file. */
export function freshShapeOf(find: (name: string) => Tensor | undefined): FreshShape {
  const [rows, live, embeddings] = [find('index.rows'), find('index.live'), find('embeddings')];
  return {
    words: live?.shape[0] as number,
    paddedDims: rows?.shape[1] as number,
    biased: find('index.rowBias') !== undefined,
    features: find('features')?.shape[1] ?? 0,
    embeddings: embeddings && {
      dtype: embeddings.dtype as 'float16' | 'float32',
      dims: embeddings.shape[1] as number,
    },
  };
}

/** Specs of all inputs of the fresh segment; `scored`: whether pairs are reranked or valued. */
export function freshInputSpecs(shape: FreshShape, scored: boolean): Record<string, InputSpec> {
  const pairs: InputSpec = { dtype: 'int32', shape: ['batch', 'candidates'] };
  return { ...REQUEST, ...segmentInputs(shape), ...(scored ? { pairs } : {}) };
}

function segmentInputs({ words, paddedDims, biased, features, embeddings }: FreshShape): Record<string, InputSpec> {
  const table = embeddings && { dtype: embeddings.dtype, shape: [ROWS, embeddings.dims] };
  return {
    ...SEGMENT,
    mainLive: { dtype: 'int64', shape: [words] },
    rows: { dtype: 'int8', shape: [ROWS, paddedDims] },
    centroids: { dtype: 'int8', shape: [1, paddedDims] },
    ...(biased ? { rowBias: { dtype: 'float32', shape: [ROWS] } satisfies InputSpec } : {}),
    ...(features > 0 ? { features: { dtype: 'float32', shape: [ROWS, features] } satisfies InputSpec } : {}),
    ...(table ? { embeddings: table } : {}),
  };
}
