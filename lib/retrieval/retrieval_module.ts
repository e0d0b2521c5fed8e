// The composition that ships: tower, filter, search, reranker and value model as one network.
import { SilverlodeError } from '../errors.js';
import type { FilterIndex } from '../index/filter_index.js';
import type { IvfIndex } from '../index/ivf_index.js';
import { call, Module } from '../nn/module.js';
import type { Reranker } from '../nn/reranker.js';
import type { ValueModel } from '../nn/value_model.js';
import { gatherRows } from '../ops/gather_rows.js';
import { reshape } from '../ops/reshape.js';
import { topK } from '../ops/top_k.js';
import type { InputSpecs } from '../program/compile.js';
import type { InputSpec, SymbolicTensor } from '../program/trace.js';
import type { Tensor } from '../tensor/tensor.js';

/** A module that turns user features into embeddings [batch, dims] or [batch, heads, dims]. */
export interface Tower extends Module {
  /**
   * What a request's `user` holds. `['batch', …]` inputs take that many numbers per request; an input of variable length is
   * the pair `raggedInput('int32')`.
   */
  readonly inputs: InputSpecs;
}

/** A list of numbers per request: all lists back to back in `values`, where each begins in `offsets`. */
export function raggedInput(dtype: InputSpec['dtype'], name: string): { values: InputSpec; offsets: InputSpec } {
  return { values: { dtype, shape: [name] }, offsets: { dtype: 'int32', shape: ['batch'] } };
}

const perRequest: InputSpec = { dtype: 'int32', shape: ['batch'] };

/** Inputs that every retrieval program has besides the user. */
export const REQUEST_INPUTS = {
  limits: perRequest,
  probes: perRequest,
  minCandidates: perRequest,
  exact: perRequest,
  planIndex: perRequest,
  planOffsets: { dtype: 'int32', shape: ['plan_offsets'] },
  planSteps: { dtype: 'int64', shape: ['plan_steps', 4] },
  excludeOffsets: { dtype: 'int32', shape: ['batch'] },
  excludeRows: { dtype: 'int32', shape: ['exclude_rows'] },
} as const satisfies InputSpecs;

/** Output names in program order; `tasks` only with a reranker. */
export const OUTPUTS = ['scores', 'ordinals', 'counts', 'stats', 'scanned', 'tasks'] as const;

type Symbols<Specs> = { [Name in keyof Specs]: SymbolicTensor };

/** Symbolic inputs of the retrieval network. */
export interface RetrievalInputs {
  /** Given instead of `user` by programs that start from embeddings: float32 [batch, heads, dims]. */
  embedding?: SymbolicTensor;
  user?: Readonly<Record<string, unknown>>;
  request: Symbols<typeof REQUEST_INPUTS>;
  /** float32 [batch, weights]. */
  weights?: SymbolicTensor;
}

/** Parts of a retrieval network; tensor names in the model file follow from these fields. */
export class RetrievalModule extends Module {
  protected override readonly bufferNames = ['embeddings', 'features'];
  readonly tower?: Tower;
  readonly rerank?: Reranker;
  readonly value?: ValueModel;
  /** float16 or float32 [items, dims]: what the reranker reads instead of the int8 rows. */
  readonly embeddings?: Tensor;
  /** float32 [items, F]. */
  readonly features?: Tensor;

  constructor(
    readonly index: IvfIndex,
    readonly eligible: FilterIndex,
    parts: { tower?: Tower; rerank?: Reranker; value?: ValueModel; embeddings?: Tensor; features?: Tensor },
  ) {
    super();
    Object.assign(this, Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)));
  }

  forward({ embedding, user, request, weights }: RetrievalInputs): Record<string, SymbolicTensor> {
    const queries = embedding ?? this.embed(user ?? {});
    const scored = this.rerank !== undefined || this.value !== undefined;
    const found = call(
      'index',
      this.index,
      queries,
      {
        ...request,
        plans: { offsets: request.planOffsets, steps: request.planSteps },
      },
      { k: scored ? 'candidates' : 'k', eligible: this.eligible },
    );
    const shared = { counts: found.counts, stats: found.stats, scanned: found.scanned };
    if (!scored) return { scores: found.scores, ordinals: found.ordinals, ...shared };

    const logits = this.rerank && call('rerank', this.rerank, queries, this.candidates(found.ordinals));
    const value = this.value as ValueModel;
    const values = call('value', value, {
      logits,
      scores: found.scores,
      ordinals: found.ordinals,
      columns: this.features,
      weights,
    });
    const best = topK(values, { k: 'k', payload: found.ordinals });
    const outputs = { scores: best.scores, ordinals: best.ids, ...shared };
    return logits ? { ...outputs, tasks: gatherRows(logits, best.positions, { batchDims: 1 }) } : outputs;
  }

  /** User embeddings [batch, heads, dims] from the tower. */
  private embed(user: Readonly<Record<string, unknown>>): SymbolicTensor {
    const tower = this.tower as Tower;
    const output = call('tower', tower, user) as SymbolicTensor;
    const { dims } = this.index.parts;
    const width = output.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
    if (!Number.isInteger(width / dims)) {
      throw new SilverlodeError(
        'SHAPE_MISMATCH',
        `the tower gives ${width} numbers per user, items have ${dims} dimensions`,
      );
    }
    return reshape(output, ['batch', width / dims, dims]);
  }

  private candidates(ordinals: SymbolicTensor) {
    const features = this.rerank?.features ? { features: this.features, featureIndex: ordinals } : {};
    if (this.embeddings) return { embeddings: this.embeddings, embeddingIndex: ordinals, ...features };
    const rows = gatherRows(this.index.rowOf, ordinals, { missing: -1 });
    return { embeddings: this.index.rows, embeddingScales: this.index.rowScales, embeddingIndex: rows, ...features };
  }
}
