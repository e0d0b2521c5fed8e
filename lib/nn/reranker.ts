import { SilverlodeError } from '../errors.js';
import type { CandidateInputs } from '../ops/candidates.js';
import type { SymbolicTensor } from '../program/trace.js';
import { Module } from './module.js';

/**
 * Candidates as the retrieval program hands them to a reranker: tables and, per candidate, a row of each. Tables may be those of
 * the whole catalogue, or hold the candidates of the batch alone.
 */
export type RerankCandidates = CandidateInputs;

/** A module that scores (user, candidate) pairs on named tasks. */
export abstract class Reranker extends Module {
  abstract readonly tasks: readonly string[];
  abstract readonly heads: number;
  abstract readonly dims: number;
  abstract readonly features: number;

  /** user float32 [batch, heads, dims], candidates [batch, m] → logits float32 [batch, m, tasks]. */
  abstract override forward(user: SymbolicTensor, candidates: RerankCandidates): SymbolicTensor;
}

export function requireTasks(reranker: string, tasks: readonly string[]): void {
  if (tasks.length > 0 && new Set(tasks).size === tasks.length) return;
  throw new SilverlodeError('INVALID_ARGUMENT', `${reranker} needs distinct task names, at least one`);
}
