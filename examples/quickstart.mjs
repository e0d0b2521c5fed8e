// node examples/quickstart.mjs
import { publish } from 'silverlode';

const model = await publish({
  items: {
    ids: ['dune', 'emma', 'solaris'],
    embeddings: { data: new Float32Array([0.9, 0.1, 0.1, 0.9, 0.8, 0.3]), shape: [3, 2] },
    attributes: { language: ['en', 'en', 'pl'], year: [1965, 1815, 1961] },
  },
});
const { ids } = await model.retrieve({ embedding: new Float32Array([1, 0]), filter: 'year:>=1900', k: 2 });
console.log(ids); // [ 'dune', 'solaris' ]
await model.close();
