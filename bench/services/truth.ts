// The lists that both sides should give: exhaustive float search, then the reranker and the value formula.
import { setImmediate as breathe } from 'node:timers/promises';
import { exactTopK } from '../../examples/demo/exact.js';
import { forward, rerank } from './network.js';
import { eligibility, FILTERS, type Filter, type Task, value } from './task.js';

export async function exactLists(task: Task): Promise<number[][]> {
  const { size, catalogue, requests } = task;
  const excluded = FILTERS.map((filter) => ineligible(task, filter));
  const lists: number[][] = [];
  for (const { features, filter } of requests) {
    const user = forward(task.tower, features);
    const candidates = Array.from(exactTopK(user, catalogue.embeddings, size.candidates, excluded[filter]));
    lists.push(bestByValue(task, user, candidates).map(({ id }) => id));
    await breathe();
  }
  return lists;
}

function ineligible(task: Task, filter: Filter): number[] {
  const mask = eligibility(task, filter);
  return [...task.catalogue.ids].filter((item) => mask[item] === 0);
}

/** Candidates by value, best first. */
function bestByValue({ rerank: network, catalogue, size }: Task, user: Float32Array, candidates: readonly number[]) {
  const { data } = catalogue.embeddings;
  const logits = rerank(network, user, data, candidates);
  const scored = candidates.map((id, i) => {
    let score = 0;
    for (let dim = 0; dim < size.dims; dim++) score += (user[dim] as number) * (data[id * size.dims + dim] as number);
    return { id, score: value(score, logits[2 * i] as number, logits[2 * i + 1] as number) };
  });
  return scored.sort((a, b) => b.score - a.score).slice(0, size.k);
}
