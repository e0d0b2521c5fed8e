// A retrieval network as programs and facts: what a model file holds besides tensors.
import type { ProgramSpec } from '../native/addon.js';
import { type InputSpecs, trace } from '../program/compile.js';
import type { InputSpec } from '../program/trace.js';
import { freshInputSpecs, freshShapeOf } from './fresh/inputs.js';
import type { Manifest, Programs, RecallFacts } from './manifest.js';
import { RECALL_INPUTS, REQUEST_INPUTS, type RetrievalModule } from './retrieval_module.js';

/** What a network does not say of itself. */
export interface RecordedFacts {
  ids: Manifest['ids'];
  /** Item column names. */
  columns: readonly string[];
  /** Clusters per head that requests look at which name none, instead of a recall target. */
  probes?: number | undefined;
  recall?: RecallFacts | undefined;
}

/** Records the programs and states what a request needs to know about the model. */
export function recordModel(module: RetrievalModule, facts: RecordedFacts): Manifest {
  const { index, rerank, tower, value } = module;
  const { items, dims } = index.parts;
  const heads = rerank?.heads ?? null;
  const weights = value?.program.weights ?? [];
  const shared: InputSpecs = {
    request: index.tail ? { ...REQUEST_INPUTS, ...RECALL_INPUTS } : REQUEST_INPUTS,
    ...(weights.length > 0
      ? { weights: { dtype: 'float32', shape: ['batch', weights.length] } satisfies InputSpec }
      : {}),
  };
  const embedding: InputSpec = { dtype: 'float32', shape: ['batch', heads ?? 'heads', dims] };
  const record = (inputs: InputSpecs): Programs => ({
    embedding: trace(module, { embedding, ...shared, ...inputs }).spec,
    user: tower ? trace(module, { user: tower.inputs, ...shared, ...inputs }).spec : null,
  });
  const programs = record({});
  const state = module.stateDict();
  const fresh = freshInputSpecs(
    freshShapeOf((name) => state.get(name)),
    value !== undefined || module.rescored,
  );
  const { clusters } = index;
  return {
    items,
    dims,
    metric: index.parts.metric,
    clusters,
    flat: index.parts.flat,
    rotation: index.parts.rotation,
    clusterRows: items / clusters,
    probes: Math.min(facts.probes ?? facts.recall?.clusters ?? clusters, clusters),
    ...(facts.recall && {
      recall: { ...facts.recall, target: facts.probes === undefined ? facts.recall.target : null },
    }),
    heads: heads ?? towerHeads(programs.user, dims),
    ids: facts.ids,
    filter: module.eligible.manifest(),
    tasks: [...(rerank?.tasks ?? [])],
    columns: [...facts.columns],
    weights: weights.map(({ name, default: value }) => ({ name, default: value })),
    scored: value !== undefined,
    ...(module.rescored && { rescored: true }),
    tower: tower?.inputs ?? null,
    programs,
    freshPrograms: record({ fresh }),
  };
}

/** Embeddings per user that a recorded tower gives. */
function towerHeads(program: ProgramSpec | null, dims: number): number | null {
  const reshape = program?.steps.findLast(
    (step) => step.op === 'reshape' && (step.attributes.shape as number[]).at(-1) === dims,
  );
  return reshape === undefined ? null : ((reshape.attributes.shape as number[])[1] as number);
}
