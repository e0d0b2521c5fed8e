// The bookshop: a fastify app around a ModelHub. What a service of yours would look like.
import { readFile } from 'node:fs/promises';
import { type FastifyInstance, fastify } from 'fastify';
import type { RetrieveRequest } from 'silverlode';
import { ModelHub, type ServedVersion } from 'silverlode/serve';
import type { DemoData } from '../demo/data.js';
import type { OnProgress } from '../demo/progress.js';
import { publishShelf, reader, shelfOf } from './shelf.js';

const MODEL = 'books';
const FOUND = 20;
const RECOMMENDED = 20;

interface Wish {
  liked: number[];
  filters: string[];
  weights: Record<string, number>;
}

const items = { type: 'array', maxItems: 200, items: { type: 'integer', minimum: 0 } };
const wishSchema = {
  type: 'object',
  required: ['liked', 'filters', 'weights'],
  additionalProperties: false,
  properties: {
    liked: items,
    filters: { type: 'array', maxItems: 20, items: { type: 'string' } },
    weights: { type: 'object', additionalProperties: { type: 'number' } },
  },
};

/**
 * Publishes the catalogue and builds the app; closing it closes the model.
 *
 * @param pagePath Where `page.html` is.
 */
export async function createBookshop(
  data: DemoData,
  pagePath: string,
  onProgress?: OnProgress,
): Promise<FastifyInstance> {
  const hub = new ModelHub();
  await hub.add(MODEL, await publishShelf(data, onProgress));
  const html = await readFile(pagePath, 'utf8');
  const { filters, weights } = shelfOf(data);
  const titles = Array.from({ length: data.items.ids.length }, (_, item) => data.title(item));
  const book = (item: number) => ({ id: item, title: titles[item] as string });

  const app = fastify();
  app.addHook('onClose', () => hub.close());
  app.get('/', (_, reply) => reply.type('text/html; charset=utf-8').send(html));
  app.get('/api/shelf', async () => ({ about: data.about, books: titles.length, filters, weights }));

  app.get<{ Querystring: { text?: string } }>('/api/books', async ({ query }) => {
    const words = (query.text ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const found: number[] = [];
    for (let item = 0; item < titles.length && found.length < FOUND; item++) {
      const title = (titles[item] as string).toLowerCase();
      if (words.every((word) => title.includes(word))) found.push(item);
    }
    return found.map(book);
  });

  app.post<{ Body: Wish }>('/api/recommend', { schema: { body: wishSchema } }, async ({ body }, reply) => {
    const liked = body.liked.filter((item) => item < titles.length);
    const chosen = filters.filter(({ label }) => body.filters.includes(label));
    const request: RetrieveRequest = {
      ...reader(data, liked),
      filter: chosen.map(({ text }) => `(${text})`).join(' AND '),
      weights: body.weights,
      exclude: liked,
      k: RECOMMENDED,
      count: true,
      deadlineMs: 2000,
    };
    const version = hub.current(MODEL) as ServedVersion;
    const signal = abortOnClose(reply.raw);
    const times = { queue: 0, run: 0 };
    const started = performance.now();
    const onStart = (waited: number) => {
      times.queue = waited;
    };
    const { ids, scores, stats } = await version.retrieve(request, { signal, onStart });
    times.run = performance.now() - started - times.queue;
    // A page that shows what a request costs may run it twice; a shop would not.
    const stages = await version.model.profile([request]);
    return {
      books: ids.map((id, i) => ({ ...book(id as number), score: scores[i] })),
      stats,
      times,
      stages: stages.map(({ label, op, milliseconds }) => ({ stage: label ? `${label} · ${op}` : op, milliseconds })),
    };
  });
  return app;
}

/** Nobody waits any more: the work may end. */
function abortOnClose(response: { once(event: 'close', listener: () => void): unknown; writableFinished: boolean }) {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
