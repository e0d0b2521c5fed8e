import { requireKnown, SilverlodeError } from '../errors.js';
import { l2Normalize } from '../ops/l2_normalize.js';
import { mixtureOfLogits } from '../ops/mixture_of_logits.js';
import { reshape } from '../ops/reshape.js';
import type { SymbolicTensor } from '../program/trace.js';
import type { Dim } from '../tensor/shape.js';
import { Linear } from './linear.js';
import { call } from './module.js';
import { type RerankCandidates, Reranker, requireTasks } from './reranker.js';

const KNOWN = [
  ...['dims', 'heads', 'features', 'tasks', 'userComponents', 'itemComponents', 'componentDims', 'temperature'],
];

/** Sizes of a mixture of logits. */
export interface MixtureOfLogitsOptions {
  /** Dimensions D of user and item embeddings. */
  dims: number;
  /** User embeddings per request (default 1). */
  heads?: number;
  /** Item feature columns F that it reads (default 0). */
  features?: number;
  /** Names of the tasks, one logit each. */
  tasks: readonly string[];
  /** Components P made of a user (default 8). */
  userComponents?: number;
  /** Components Q made of an item (default 4). */
  itemComponents?: number;
  /** Dimensions of a component (default 64). */
  componentDims?: number;
  /** Divides the dot products of components, which are of unit length (default 0.05). */
  temperature?: number;
}

/**
 * The mixture of logits of Zhai et al. (arXiv 2306.04039), the OverArch of SilverTorch's experiments (arXiv 2511.14881):
 * P user and Q item components of unit length, and per task the mean of their P·Q dot products under adaptive weights,
 * `Σ_c softmax(userGate(u) + itemGate(x) + crossGate(s))_c · s_c` with `s_{p·Q+q} = ⟨f_p(u), g_q(x)⟩ / temperature`.
 *
 * With u all heads of a user one after the other and x = `[i (D), f (F)]` of an item, the parameters are those of linear
 * layers as in PyTorch: `user.weight|bias` (u → P·d), `item.weight|bias` (x → Q·d), `userGate.weight|bias` (u → T·P·Q),
 * `itemGate.weight|bias` (x → T·P·Q), `crossGate.weight` (P·Q → T·P·Q). In PyTorch `s` is
 * `einsum('bpd,bmqd->bmpq', f, g).flatten(-2) / temperature`, and gates are `view(..., T, P * Q)`.
 */
export class MixtureOfLogits extends Reranker {
  readonly user: Linear;
  readonly item: Linear;
  readonly userGate: Linear;
  readonly itemGate: Linear;
  readonly crossGate: Linear;
  readonly tasks: readonly string[];
  readonly heads: number;
  readonly dims: number;
  readonly features: number;
  readonly userComponents: number;
  readonly componentDims: number;
  readonly temperature: number;

  /** @throws SilverlodeError `INVALID_ARGUMENT` for sizes, a temperature or task names that make no sense. */
  constructor(options: MixtureOfLogitsOptions) {
    super();
    requireKnown('MixtureOfLogits options', options, KNOWN);
    const { dims, heads = 1, features = 0, tasks, temperature = 0.05 } = options;
    const { userComponents = 8, itemComponents = 4, componentDims = 64 } = options;
    requireTasks('MixtureOfLogits', tasks);
    if (!(temperature > 0 && Number.isFinite(temperature))) {
      throw new SilverlodeError('INVALID_ARGUMENT', `temperature must be positive and finite, got ${temperature}`);
    }
    const pairs = userComponents * itemComponents;
    this.user = new Linear(heads * dims, userComponents * componentDims);
    this.item = new Linear(dims + features, itemComponents * componentDims);
    this.userGate = new Linear(heads * dims, tasks.length * pairs);
    this.itemGate = new Linear(dims + features, tasks.length * pairs);
    this.crossGate = new Linear(pairs, tasks.length * pairs, { bias: false });
    this.tasks = tasks;
    this.heads = heads;
    this.dims = dims;
    this.features = features;
    this.userComponents = userComponents;
    this.componentDims = componentDims;
    this.temperature = temperature;
  }

  forward(user: SymbolicTensor, candidates: RerankCandidates): SymbolicTensor {
    const batch = user.shape[0] as Dim;
    const heads = reshape(user, [batch, this.heads * this.dims]);
    const components = call('user', this.user, heads);
    const gates = call('userGate', this.userGate, heads);
    return mixtureOfLogits({
      ...candidates,
      user: l2Normalize(reshape(components, [batch, this.userComponents, this.componentDims])),
      userGates: reshape(gates, [batch, this.tasks.length, this.crossGate.inFeatures]),
      item: this.item,
      itemGate: this.itemGate,
      crossGate: this.crossGate,
      temperature: this.temperature,
    });
  }
}
