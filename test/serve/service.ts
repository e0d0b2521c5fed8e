// A service with models of every kind, for tests by inject().
import type { FastifyInstance } from 'fastify';
import { Module, nn, ops, type RetrievalModel, type SymbolicTensor, type Tower } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { createService, ModelHub, type ServedModel, type ServiceOptions } from '../../lib/serve/index.js';
import { DIMS, ITEMS, smallModel } from './models.js';

export interface TestService {
  app: FastifyInstance;
  hub: ModelHub;
  close: () => Promise<void>;
}

export async function serve(
  models: Record<string, ServedModel>,
  options: ServiceOptions = {},
  hub = new ModelHub(),
): Promise<TestService> {
  for (const [name, model] of Object.entries(models)) await hub.add(name, model);
  const app = await createService(hub, { profileEveryMs: 0, ...options });
  await app.ready();
  return {
    app,
    hub,
    close: async () => {
      await app.close();
      await hub.close();
    },
  };
}

/** Bigint ids beyond 2^53, a reranker with two tasks and a formula with one weight. */
export async function scoredModel(): Promise<RetrievalModel> {
  const rerank = new nn.OverArch({ dims: DIMS, hidden: [4], tasks: ['click', 'like'] });
  const ids = BigInt64Array.from({ length: ITEMS }, (_, i) => 2n ** 60n + BigInt(i));
  const random = new Random(3);
  const data = Float32Array.from({ length: ITEMS * DIMS }, () => random.normal());
  return smallModel(0, {
    items: { ids, embeddings: { data, shape: [ITEMS, DIMS] } },
    rerank,
    value: 'click + weight.like * like',
    weights: { like: 0.5 },
  });
}

/** Ids are texts. */
export function namedModel(): Promise<RetrievalModel> {
  const random = new Random(3);
  const data = Float32Array.from({ length: ITEMS * DIMS }, () => random.normal());
  return smallModel(0, {
    items: { ids: Array.from({ length: ITEMS }, (_, i) => `book-${i}`), embeddings: { data, shape: [ITEMS, DIMS] } },
  });
}

/** A tower over two inputs: an embedding and what is added to it. */
class SumTower extends Module implements Tower {
  readonly inputs = {
    taste: { dtype: 'float32', shape: ['batch', DIMS] },
    mood: { dtype: 'float32', shape: ['batch', DIMS] },
  } as const;

  forward({ taste, mood }: { taste: SymbolicTensor; mood: SymbolicTensor }): SymbolicTensor {
    return ops.add(taste, mood);
  }
}

/** Users come as inputs of a tower. */
export const towerModel = (): Promise<RetrievalModel> => smallModel(0, { tower: new SumTower() });
