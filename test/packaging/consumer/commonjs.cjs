const { devices, f, publish } = require('silverlode');

async function main() {
  const embeddings = { data: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.8, -0.1), shape: [4, 2] };
  const attributes = { language: ['en', 'fr', 'en', 'en'] };
  const model = await publish({ items: { ids: ['a', 'b', 'c', 'd'], embeddings, attributes } });
  const { ids } = await model.retrieve({ embedding: Float32Array.of(1, 0), filter: f.eq('language', 'en'), k: 2 });
  console.log(JSON.stringify({ device: devices()[0].id, ids }));
}

main();
