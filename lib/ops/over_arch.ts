import type { AnyTensor } from '../program/trace.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import type { Activation } from './linear.js';

/** Where candidates' embeddings and features are, and the layers of the network. */
export interface OverArchInputs<I> {
  /** float32 [batch, H, D]: one embedding per head. */
  user: I;
  /** int8 [n, Dp] with `embeddingScales` float32 [n], or float16 / float32 [n, D]. */
  embeddings: AnyTensor;
  embeddingScales?: AnyTensor;
  /** int32 [batch, m]: row of `embeddings` of each candidate, -1 for a missing one. */
  embeddingIndex: AnyTensor;
  /** float32 [items, F]. */
  features?: AnyTensor;
  /** int32 [batch, m]: row of `features`. */
  featureIndex?: AnyTensor;
  /** Weights [out, in] (float32, float16, bfloat16) and biases float32 [out], first layer first. */
  layers: readonly { weight: AnyTensor; bias?: AnyTensor }[];
  activation?: Activation;
}

/**
 * A multi-task network over (user, candidate) pairs reading `[u (H·D), i (D), u_h * i (H·D), f (F)]`. The first layer is
 * folded per request, so the pair matrix is never built (SilverTorch, arXiv 2511.14881, OverArch).
 *
 * @returns logits float32 [batch, m, T]; 0 for a missing candidate
 */
export function overArch<I extends AnyTensor>(inputs: OverArchInputs<I>): OpResult<I, As<I, 'float32'>> {
  const { user, embeddings, embeddingScales, embeddingIndex, features, featureIndex, layers } = inputs;
  const weights = layers.flatMap(({ weight, bias }) => [weight, bias]);
  const operands = [user, embeddings, embeddingScales, embeddingIndex, features, featureIndex, ...weights];
  return dispatch<I, As<I, 'float32'>>(
    'over_arch',
    operands,
    { activation: inputs.activation ?? 'relu' },
    ([logits]) => logits,
  );
}
