import { f, publish } from 'silverlode';

const model = await publish({
  items: {
    ids: ['a', 'b', 'c', 'd'],
    embeddings: { data: Float32Array.of(1, 0, 0.9, 0.1, 0, 1, 0.8, -0.1), shape: [4, 2] },
    attributes: { language: ['en', 'fr', 'en', 'en'] },
  },
});
console.log((await model.retrieve({ embedding: Float32Array.of(1, 0), filter: f.eq('language', 'en'), k: 2 })).ids);
