import { requireKnown, SilverlodeError } from '../errors.js';
import type { Activation } from '../ops/linear.js';
import { overArch } from '../ops/over_arch.js';
import type { SymbolicTensor } from '../program/trace.js';
import { Linear } from './linear.js';
import { type RerankCandidates, Reranker, requireTasks } from './reranker.js';

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
    requireKnown('OverArch options', options, ['dims', 'heads', 'features', 'hidden', 'tasks', 'activation']);
    const { dims, heads = 1, features = 0, hidden, tasks, activation = 'relu' } = options;
    requireTasks('OverArch', tasks);
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
