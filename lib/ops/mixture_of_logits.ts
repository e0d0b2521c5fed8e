import type { AnyTensor } from '../program/trace.js';
import { type CandidateInputs, candidateOperands } from './candidates.js';
import { type As, dispatch, type OpResult } from './dispatch.js';

/** A weight [out, in] (float32, float16, bfloat16) and its bias float32 [out]. */
export interface WeightAndBias {
  weight: AnyTensor;
  bias?: AnyTensor;
}

/** User side, candidates and weights of a mixture of P x Q dot products, C = P·Q, for T tasks. */
export interface MixtureOfLogitsInputs<I> extends CandidateInputs {
  /** float32 [batch, P, d]: user components, usually of unit length. */
  user: I;
  /** float32 [batch, T, C]: what the user adds to the gates; pair (p, q) is column p·Q + q. */
  userGates: AnyTensor;
  /** [Q·d, D+F] over a candidate's `[i (D), f (F)]`: its components, which the op normalises. */
  item: WeightAndBias;
  /** `[T·C, D+F]`: what the candidate adds to the gates. */
  itemGate: WeightAndBias;
  /** [T·C, C], without a bias: what the dot products add to the gates. */
  crossGate?: { weight: AnyTensor };
  /** Divides the dot products (default 1). */
  temperature?: number;
}

/**
 * The mixture of logits of Zhai et al. (arXiv 2306.04039): per task `Σ_c softmax(gates)_c · s_c` over the dot products
 * `s_{p·Q+q} = ⟨user_p, item_q⟩ / temperature` of P user and Q item components, with
 * `gates = userGates + itemGate(x) + crossGate(s)`. A component of zeros scores 0.
 *
 * @returns logits float32 [batch, m, T]; 0 for a missing candidate
 */
export function mixtureOfLogits<I extends AnyTensor>(inputs: MixtureOfLogitsInputs<I>): OpResult<I, As<I, 'float32'>> {
  const { user, userGates, item, itemGate, crossGate, temperature = 1 } = inputs;
  const weights = [item.weight, item.bias, itemGate.weight, itemGate.bias, crossGate?.weight];
  return dispatch<I, As<I, 'float32'>>(
    'mixture_of_logits',
    [user, userGates, ...candidateOperands(inputs), ...weights],
    { temperature },
    ([logits]) => logits,
  );
}
