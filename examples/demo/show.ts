// A few people, what they liked, and what each kind of request recommends to them.
import type { RetrievalModel, RetrieveRequest } from 'silverlode';
import type { DemoData, Person } from './data.js';
import type { DemoModels } from './models.js';
import { stagesOf, total } from './timing.js';

const SHOWN = 5;

/** The text about one person: titles marked with * are among those that were held out. */
export async function showPerson(data: DemoData, { whole, flat }: DemoModels, person: Person): Promise<string> {
  const { embedding, seen } = person;
  const request = { exclude: seen, k: SHOWN };
  const filter = data.shownFilter;
  const scored = data.modules.rerank ? 'reranked and valued' : 'by value formula';
  const parts = [
    `${person.name} liked`,
    ...person.liked.slice(0, SHOWN).map((item) => `    ${data.title(item)}`),
    ...(await recommend('nearest', flat, { embedding, ...request })),
    ...(await recommend('nearest, filtered', flat, { embedding, filter, ...request })),
    ...(await recommend(scored, whole, { embedding, ...request })),
    ...(await recommend(`${scored}, filtered`, whole, { embedding, filter, ...request })),
  ];
  if (data.asUser) {
    parts.push(
      ...(await recommend('by user tower, from what was liked alone', whole, {
        user: data.asUser(person),
        ...request,
      })),
    );
  }
  return parts.join('\n');

  async function recommend(title: string, model: RetrievalModel, asked: RetrieveRequest): Promise<string[]> {
    const { ids } = await model.retrieve(asked);
    const hits = new Set(Array.from(person.heldOut));
    const lines = (ids as number[]).map((item) => `  ${hits.has(item) ? '*' : ' '} ${data.title(item)}`);
    return [`  ${title}`, ...lines, `      ${await stageLine(model, asked)}`];
  }
}

/** `0.49 ms: over_arch 0.38, ivf_scan 0.09, …` */
async function stageLine(model: RetrievalModel, request: RetrieveRequest): Promise<string> {
  const stages = await stagesOf(model, request);
  const times = stages.map(({ op, milliseconds }) => `${op} ${milliseconds.toFixed(3)}`);
  return `${total(stages).toFixed(2)} ms: ${times.join(', ')}`;
}
