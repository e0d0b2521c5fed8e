// The composition that ships: tower, filter, search, reranker and value model as one network.
import { SilverlodeError } from '../errors.js';
import type { FilterIndex } from '../index/filter_index.js';
import type { IvfIndex } from '../index/ivf_index.js';
import { type Candidates, mergeSegments, type SearchRequests, searchSegment, toQueries } from '../index/search.js';
import { call, Module } from '../nn/module.js';
import type { RerankCandidates, Reranker } from '../nn/reranker.js';
import type { ValueModel } from '../nn/value_model.js';
import { add } from '../ops/elementwise.js';
import { gatherRows } from '../ops/gather_rows.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { rescore } from '../ops/rescore.js';
import { reshape } from '../ops/reshape.js';
import { topK } from '../ops/top_k.js';
import type { InputSpecs } from '../program/compile.js';
import { type AnyTensor, type InputSpec, SymbolicTensor } from '../program/trace.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FreshInputs } from './fresh/inputs.js';

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

/** Inputs of a program whose index is searched up to a recall target. */
export const RECALL_INPUTS = {
  allowedMisses: { dtype: 'float32', shape: ['batch'] },
} as const satisfies InputSpecs;

type Symbols<Specs> = { [Name in keyof Specs]: SymbolicTensor };

/** Symbolic inputs of the retrieval network. */
export interface RetrievalInputs {
  /** Given instead of `user` by programs that start from embeddings: float32 [batch, heads, dims]. */
  embedding?: SymbolicTensor;
  user?: Readonly<Record<string, unknown>>;
  request: Symbols<typeof REQUEST_INPUTS> & Partial<Symbols<typeof RECALL_INPUTS>>;
  /** float32 [batch, weights]. */
  weights?: SymbolicTensor;
  /** Given to programs that also search a fresh segment. */
  fresh?: FreshInputs;
}

/** Parts of a retrieval network; tensor names in the model file follow from these fields. */
export class RetrievalModule extends Module {
  protected override readonly bufferNames = ['embeddings', 'features'];
  readonly tower?: Tower;
  readonly rerank?: Reranker;
  readonly value?: ValueModel;
  /** float16 or float32 [items, dims]: what the reranker reads instead of the int8 rows, or candidates are scored by again. */
  readonly embeddings?: Tensor;
  /** Whether candidates that nothing reranks or values are scored again by `embeddings`. */
  readonly rescored: boolean;
  /** float32 [items, F]. */
  readonly features?: Tensor;

  constructor(
    readonly index: IvfIndex,
    readonly eligible: FilterIndex,
    parts: {
      tower?: Tower;
      rerank?: Reranker;
      value?: ValueModel;
      embeddings?: Tensor;
      features?: Tensor;
      rescored?: boolean;
    },
  ) {
    super();
    const { rescored = false, ...given } = parts;
    this.rescored = rescored;
    Object.assign(this, Object.fromEntries(Object.entries(given).filter(([, part]) => part !== undefined)));
  }

  forward({ embedding, user, request, weights, fresh }: RetrievalInputs): Record<string, SymbolicTensor> {
    const queries = embedding ?? this.embed(user ?? {});
    const scored = this.rerank !== undefined || this.value !== undefined;
    const found = this.search(queries, request, fresh, scored || this.rescored ? 'candidates' : 'k');
    const { scores, ordinals, ...told } = found;
    if (!scored && !this.rescored) return { scores, ordinals, ...told };

    const tables = fresh ? this.joined(ordinals, fresh) : this.own(ordinals);
    if (!scored) {
      const finer = this.rescore(queries, tables.candidates, this.priors(ordinals, fresh));
      const { scores: best, ids } = topK(finer, { k: 'k', payload: ordinals });
      return { scores: best, ordinals: ids, ...told };
    }
    const logits = this.rerank && call('rerank', this.rerank, queries, tables.candidates);
    const value = this.value as ValueModel;
    const values = call('value', value, { logits, scores, ...tables.items, weights });
    const best = topK(values, { k: 'k', payload: ordinals });
    const outputs = { scores: best.scores, ordinals: best.ids, ...told };
    return logits ? { ...outputs, tasks: gatherRows(logits, best.positions, { batchDims: 1 }) } : outputs;
  }

  private rescore(
    users: SymbolicTensor,
    { embeddings, embeddingIndex }: RerankCandidates,
    priors: SymbolicTensor | undefined,
  ): SymbolicTensor {
    const { metric } = this.index.parts;
    const asked = metric === 'cosine' ? l2Normalize(users) : users;
    const scores = rescore(asked, embeddings, embeddingIndex, { metric });
    return priors ? add(scores, priors) : scores;
  }

  /** Priors of the candidates float32 [batch, candidates], undefined in a model without them. */
  private priors(ordinals: SymbolicTensor, fresh: FreshInputs | undefined): SymbolicTensor | undefined {
    const { rowBias, rowOf, parts } = this.index;
    // What rows of aligned models add to their products is a part of the products.
    if (rowBias === undefined || parts.rotation.aligned || parts.metric === 'l2') return undefined;
    const rows = gatherRows(rowOf, ordinals, { missing: -1, tail: fresh?.rowOf });
    return gatherRows(rowBias, rows, { tail: fresh?.rowBias });
  }

  /** Candidates of the index, or of the index and a fresh segment together. */
  private search(
    user: SymbolicTensor,
    request: RetrievalInputs['request'],
    fresh: FreshInputs | undefined,
    k: string,
  ): Candidates & { freshStats?: SymbolicTensor; freshScanned?: SymbolicTensor } {
    const requests = { ...request, plans: { offsets: request.planOffsets, steps: request.planSteps } };
    if (fresh === undefined) return call('index', this.index, user, requests, { k, eligible: this.eligible });
    const { metric, firstRound } = this.index.parts;
    const queries = toQueries(user, metric, this.index.rotation);
    const main = user.trace.scoped('index', () => {
      const segment = { ...this.index.segment(), live: fresh.mainLive };
      return searchSegment(queries, segment, requests, { k, metric, eligible: this.eligible, firstRound });
    });
    const second = user.trace.scoped('fresh', () => {
      const eligible = { ...fresh, hashes: this.eligible.hashes };
      return searchSegment(queries, fresh, freshRequests(request, fresh), { k, metric, eligible });
    });
    const merged = mergeSegments([main, second], { k, limits: request.limits });
    return { ...main, ...merged, freshStats: second.stats, freshScanned: second.scanned };
  }

  /** User embeddings [batch, heads, dims] from the tower. */
  private embed(user: Readonly<Record<string, unknown>>): SymbolicTensor {
    const tower = this.tower as Tower;
    const output = onlyTensor(call('tower', tower, user));
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

  /** The model's own tables, by row or ordinal. */
  private own(ordinals: SymbolicTensor): ItemTables {
    const features = this.rerank?.features ? { features: this.features, featureIndex: ordinals } : {};
    const items = { ordinals, columns: this.features };
    if (this.embeddings)
      return { candidates: { embeddings: this.embeddings, embeddingIndex: ordinals, ...features }, items };
    const rows = gatherRows(this.index.rowOf, ordinals, { missing: -1 });
    const { rows: embeddings, rowScales: embeddingScales } = this.index;
    return { candidates: { embeddings, embeddingScales, embeddingIndex: rows, ...features }, items };
  }

  /** Tables of the candidates alone, gathered from both segments; a fresh row follows the main ones in every table. */
  private joined(ordinals: SymbolicTensor, fresh: FreshInputs): ItemTables {
    const pairs = fresh.pairs as SymbolicTensor;
    const flat = reshape(ordinals, ['pairs']);
    const columns = this.features && gatherRows(this.features, flat, { tail: fresh.features });
    const features = this.rerank?.features ? { features: columns, featureIndex: pairs } : {};
    // Places of missing candidates hold zeros; the last selection drops them by their ordinal.
    const items = columns ? { ordinals: pairs, columns } : { ordinals };
    if (this.embeddings) {
      const embeddings = gatherRows(this.embeddings, flat, { tail: fresh.embeddings });
      return { candidates: { embeddings, embeddingIndex: pairs, ...features }, items };
    }
    const rows = gatherRows(this.index.rowOf, flat, { missing: -1, tail: fresh.rowOf });
    const embeddings = gatherRows(this.index.rows, rows, { tail: fresh.rows });
    const embeddingScales = gatherRows(this.index.rowScales, rows, { tail: fresh.rowScales });
    return { candidates: { embeddings, embeddingScales, embeddingIndex: pairs, ...features }, items };
  }
}

/** What a tower gives: a tensor, or an object of one. */
function onlyTensor(output: unknown): SymbolicTensor {
  if (output instanceof SymbolicTensor) return output;
  const named = Object.values((output ?? {}) as Record<string, unknown>);
  const [only] = named;
  if (named.length === 1 && only instanceof SymbolicTensor) return only;
  throw new SilverlodeError('INVALID_ARGUMENT', 'the tower must give one tensor: the embedding of the user', {
    field: 'tower',
  });
}

/** What reranker and value model read of the candidates. */
interface ItemTables {
  candidates: RerankCandidates;
  items: { ordinals: SymbolicTensor; columns?: AnyTensor };
}

/** The requests as the fresh segment sees them: its one cluster is always looked at, plans and rows to exclude are its own. */
function freshRequests(request: RetrievalInputs['request'], fresh: FreshInputs): SearchRequests {
  return {
    limits: request.limits,
    exact: request.exact,
    minCandidates: request.minCandidates,
    probes: request.probes,
    planIndex: fresh.freshPlanIndex,
    plans: { offsets: fresh.freshPlanOffsets, steps: fresh.freshPlanSteps },
    excludeOffsets: fresh.freshExcludeOffsets,
    excludeRows: fresh.freshExcludeRows,
  };
}
