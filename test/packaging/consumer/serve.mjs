import { publish } from 'silverlode';
import { createService, ModelHub } from 'silverlode/serve';

// Everything but HTTP works without an optional package.
const embeddings = { data: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.8, -0.1), shape: [4, 2] };
const hub = new ModelHub();
await hub.add('letters', await publish({ items: { ids: ['a', 'b', 'c', 'd'], embeddings } }));
const { ids } = await hub.retrieve('letters', { embedding: Float32Array.of(1, 0), k: 2 });
const refusal = await createService(hub).catch(({ code, message }) => ({ code, message }));
await hub.close();
console.log(JSON.stringify({ ids, refusal }));
