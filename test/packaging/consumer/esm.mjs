import { devices, f, publish, RetrievalModel } from 'silverlode';

const embeddings = { data: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.8, -0.1), shape: [4, 2] };
const attributes = { language: ['en', 'fr', 'en', 'en'] };
const published = await publish({ items: { ids: ['a', 'b', 'c', 'd'], embeddings, attributes } });
await published.save('catalogue.safetensors');
const model = await RetrievalModel.load('catalogue.safetensors');
const { ids } = await model.retrieve({ embedding: Float32Array.of(1, 0), filter: f.eq('language', 'en'), k: 2 });
console.log(JSON.stringify({ device: devices()[0].id, ids }));
