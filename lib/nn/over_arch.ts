import { SilverlodeError } from '../errors.js';
import type { Activation } from '../ops/linear.js';
import { overArch } from '../ops/over_arch.js';
import type { AnyTensor, SymbolicTensor } from '../program/trace.js';
import { Linear } from './linear.js';
import { Module } from './module.js';

/** Sizes of an OverArch network. */
export interface OverArchOptions {
  /** Dimensions D of user and item embeddings. */
  dims: number;
  /** User embeddings per request (default 1). */
  heads?: number;
  /** Item feature columns F that it reads (default 0). */
  features?: number;
  /** Hidden layer sizes, e.g. `[256, 128]`. */
  hidden: readonly number[];
  /** Names of the tasks, one logit each. */
  tasks: readonly string[];
  /** Between layers; default `relu`. */
  activation?: Activation;
}

/**
 * Candidates as the retrieval program hands them to a reranker: tables and, per candidate, a row of each. Tables may be those of
 * the whole catalogue, or hold the candidates of the batch alone.
 */
export interface RerankCandidates {
  embeddings: AnyTensor;
  embeddingScales?: AnyTensor;
  embeddingIndex: AnyTensor;
  features?: AnyTensor;
  featureIndex?: AnyTensor;
}

/** A module that scores (user, candidate) pairs on named tasks. */
export abstract class Reranker extends Module {
  abstract readonly tasks: readonly string[];
  abstract readonly heads: number;
  abstract readonly dims: number;
  abstract readonly features: number;

  /** user float32 [batch, heads, dims], candidates [batch, m] → logits float32 [batch, m, tasks]. */
  abstract override forward(user: SymbolicTensor, candidates: RerankCandidates): SymbolicTensor;
}

/**
 * The multi-task reranker of SilverTorch (arXiv 2511.14881): an MLP over `[u (H·D), i (D), u_h * i (H·D), f (F)]` with
 * parameters `layers.<n>.weight|bias`. Its first layer is folded per request, so the pair matrix is never built.
 */
export class OverArch extends Reranker {
  readonly layers: readonly Linear[];
  readonly tasks: readonly string[];
  readonly heads: number;
  readonly dims: number;
  readonly features: number;
  readonly activation: Activation;

  constructor(options: OverArchOptions) {
    super();
    const { dims, heads = 1, features = 0, hidden, tasks, activation = 'relu' } = options;
    if (tasks.length === 0 || new Set(tasks).size !== tasks.length) {
      throw new SilverlodeError('INVALID_ARGUMENT', 'OverArch needs distinct task names, at least one');
    }
    if (hidden.length > 5) throw new SilverlodeError('LIMIT_EXCEEDED', 'OverArch has at most 6 layers');
    const sizes = [2 * heads * dims + dims + features, ...hidden, tasks.length];
    this.layers = sizes.slice(0, -1).map((size, i) => new Linear(size, sizes[i + 1] as number));
    this.tasks = tasks;
    this.heads = heads;
    this.dims = dims;
    this.features = features;
    this.activation = activation;
  }

  forward(user: SymbolicTensor, candidates: RerankCandidates): SymbolicTensor {
    const layers = this.layers.map(({ weight, bias }) => ({ weight, bias }));
    return overArch({ user, ...candidates, layers, activation: this.activation });
  }
}
