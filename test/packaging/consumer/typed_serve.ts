import { RetrievalModel } from 'silverlode';
import { Batcher, createService, ModelHub, type VersionInfo, watchDirectory } from 'silverlode/serve';

const hub = new ModelHub({ batching: { maxBatch: 8 } });
const version: VersionInfo = await hub.load('letters', 'catalogue.safetensors', { weight: 2 });
void hub.watch(watchDirectory('models'));
const model = await RetrievalModel.load('catalogue.safetensors');
await hub.add('again', model);
const { ids } = await new Batcher(model).retrieve(
  { embedding: Float32Array.of(1, 0) },
  { signal: AbortSignal.timeout(50) },
);
const app = await createService(hub, { token: 'secret', limits: { k: 100 } });
await app.listen({ port: 0 });

export { ids, version };

// @ts-expect-error: an unknown limit is a type error
await createService(hub, { limits: { nonsense: 1 } });
