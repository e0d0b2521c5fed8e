// Why one item is in the list of a request, or is not: by asking about it alone.
import { requireKnown, SilverlodeError } from '../errors.js';
import type { FilterLeaf, FilterNode } from '../filter/ast.js';
import { checkFilter } from '../filter/check.js';
import { parseFilter } from '../filter/parser.js';
import { idsOf } from './ask/ids.js';
import type { ItemId, RetrieveRequest, RetrieveResult } from './types.js';
import type { Version } from './version.js';

/** What `explain` tells of one item. */
export interface ItemExplanation {
  id: ItemId;
  /**
   * `returned`; `unknown`: no item has the id; `excluded`: by `exclude`, or because it is liked or disliked; `not named`: `rank` or `allow` leave it
   * out; `filtered`; `below minScore`; `beyond k`: others are better; `arranged away`: by boosts, groups or variety; `not found`: it scores
   * enough, but the search stopped before it (see `recall`), or it was no candidate of the reranker.
   */
  outcome:
    | 'returned'
    | 'unknown'
    | 'excluded'
    | 'not named'
    | 'filtered'
    | 'below minScore'
    | 'beyond k'
    | 'arranged away'
    | 'not found';
  /** Place among the results of the request, from 0. */
  place?: number;
  /** Final score that it has for this user, before boosts. */
  score?: number;
  /** Raw logits of the reranker. */
  tasks?: Record<string, number>;
  /** Whether the filter holds, and each test in it, in order. */
  filter?: { holds: boolean; leaves: { leaf: FilterLeaf; holds: boolean }[] };
}

/** Answers requests, one after the other; all are expected to be good. */
type Ask = (requests: readonly RetrieveRequest[]) => Promise<(RetrieveResult | SilverlodeError)[]>;

/** @throws SilverlodeError of the request, or `INVALID_ARGUMENT` for an id of another type. */
export async function explainItem(
  ask: Ask,
  version: Version,
  request: RetrieveRequest,
  options: { id: ItemId },
): Promise<ItemExplanation> {
  requireKnown('explain options', options, ['id']);
  const kind = version.main.manifest.ids;
  const [id] = idsOf('id', [options.id], kind) as [ItemId];
  const [own] = await all(ask, [request]);
  if (version.find(id) === undefined) return { id, outcome: 'unknown' };

  const { embedding, user, weights, like, dislike, filter } = request;
  const isNamed = (ids: RetrieveRequest['exclude']) => ids !== undefined && idsOf('ids', ids, kind).includes(id);
  // An item that stands for the user does not come back for it, so there is no score to tell.
  const stands = isNamed(like) || isNamed(dislike);
  const alone: RetrieveRequest = {
    embedding,
    user,
    weights,
    like,
    dislike,
    strategy: request.strategy,
    rank: [id],
    k: 1,
  };
  const tests =
    filter === undefined ? [] : leavesOf(typeof filter === 'string' ? parseFilter(filter) : checkFilter(filter));
  const asked = stands
    ? [
        {
          ...alone,
          embedding: new Float32Array(version.main.manifest.dims),
          user: undefined,
          like: undefined,
          dislike: undefined,
          strategy: undefined,
        },
      ]
    : [alone];
  const [plain] = asked as [RetrieveRequest];
  const leaves = tests.map((leaf) => ({ ...plain, filter: leaf }));
  const [scored, held, allowed, ...single] = await all(ask, [
    plain,
    { ...plain, filter },
    { ...plain, allow: request.allow },
    ...leaves,
  ]);
  const found = (result: RetrieveResult | undefined) => (result?.ids.length ?? 0) > 0;
  const explanation: ItemExplanation = { id, outcome: 'not found' };
  if (!stands) {
    explanation.score = scored?.scores[0];
    if (scored?.tasks)
      explanation.tasks = Object.fromEntries(
        Object.entries(scored.tasks).map(([task, [logit]]) => [task, logit as number]),
      );
  }
  if (filter !== undefined)
    explanation.filter = { holds: found(held), leaves: tests.map((leaf, i) => ({ leaf, holds: found(single[i]) })) };
  const place = own?.ids.indexOf(id) ?? -1;
  if (place >= 0) return { ...explanation, outcome: 'returned', place };
  const outcome = (): ItemExplanation['outcome'] => {
    if (stands || isNamed(request.exclude)) return 'excluded';
    if (!found(allowed) || (request.rank !== undefined && !isNamed(request.rank))) return 'not named';
    if (!found(held)) return 'filtered';
    const { score = Number.NaN } = explanation;
    if (request.boost || request.groups || request.diversity) return 'arranged away';
    if (request.minScore !== undefined && !(score >= request.minScore)) return 'below minScore';
    const last = own?.scores.at(-1);
    return last === undefined || score > last ? 'not found' : 'beyond k';
  };
  return { ...explanation, outcome: outcome() };
}

async function all(ask: Ask, requests: readonly RetrieveRequest[]): Promise<RetrieveResult[]> {
  return (await ask(requests)).map((result) => {
    if (result instanceof SilverlodeError) throw result;
    return result;
  });
}

/** The tests of a filter, in order. */
function leavesOf(node: FilterNode): FilterLeaf[] {
  if ('and' in node) return node.and.flatMap(leavesOf);
  if ('or' in node) return node.or.flatMap(leavesOf);
  return 'not' in node ? leavesOf(node.not) : [node];
}
