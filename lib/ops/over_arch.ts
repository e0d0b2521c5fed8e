import type { AnyTensor } from '../program/trace.js';
import { type CandidateInputs, candidateOperands } from './candidates.js';
import { type As, dispatch, type OpResult } from './dispatch.js';
import type { Activation } from './linear.js';

/** Where candidates' embeddings and features are, and the layers of the network. */
export interface OverArchInputs<I> extends CandidateInputs {
  /** float32 [batch, H, D]: one embedding per head. */
  user: I;
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
  const weights = inputs.layers.flatMap(({ weight, bias }) => [weight, bias]);
  return dispatch<I, As<I, 'float32'>>(
    'over_arch',
    [inputs.user, ...candidateOperands(inputs), ...weights],
    { activation: inputs.activation ?? 'relu' },
    ([logits]) => logits,
  );
}
