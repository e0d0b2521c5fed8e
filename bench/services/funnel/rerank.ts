// Reranker, value formula and top-k as a service; item vectors are in its memory, so that ids come and go.
import { floatTensor, integerTensor, openSession, output } from './onnx.js';
import { bytes, floats, integers, serveFunnelPart } from './service.js';

const [folder = '', dimsText] = process.argv.slice(2);
const dims = Number(dimsText);
const session = await openSession(`${folder}/rerank.onnx`);

await serveFunnelPart((app) => {
  // The body: the user's embedding, then int64 ids. The answer: int64 ids, then float32 values, best first.
  app.post<{ Body: Buffer }>('/', async ({ body }) => {
    const user = floats(body.subarray(0, 4 * dims));
    const ids = integers(body.subarray(4 * dims));
    const outputs = await session.run({
      user: floatTensor(user, [1, dims]),
      ids: integerTensor(ids),
    });
    return Buffer.concat([bytes(output(outputs, 'best_ids')), bytes(output(outputs, 'best_values'))]);
  });
});
