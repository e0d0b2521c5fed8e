// The user tower as a service: what arrives in one turn of the event loop is one run of the network.
import { floatTensor, openSession, output } from './onnx.js';
import { bytes, floats, serveFunnelPart } from './service.js';

const [folder = '', dimsText] = process.argv.slice(2);
const dims = Number(dimsText);
const session = await openSession(`${folder}/tower.onnx`);

interface Waiting {
  features: Float32Array;
  resolve: (embedding: Float32Array) => void;
  reject: (error: Error) => void;
}

let waiting: Waiting[] = [];

function ask(features: Float32Array): Promise<Float32Array> {
  return new Promise((resolve, reject) => {
    if (waiting.length === 0) setImmediate(run);
    waiting.push({ features, resolve, reject });
  });
}

async function run(): Promise<void> {
  const batch = waiting;
  waiting = [];
  const joined = new Float32Array(batch.length * dims);
  batch.forEach(({ features }, i) => {
    joined.set(features, i * dims);
  });
  try {
    const outputs = await session.run({ features: floatTensor(joined, [batch.length, dims]) });
    const embeddings = output(outputs, 'embedding') as Float32Array;
    batch.forEach(({ resolve }, i) => {
      resolve(embeddings.subarray(i * dims, (i + 1) * dims));
    });
  } catch (error) {
    for (const { reject } of batch) reject(error as Error);
  }
}

await serveFunnelPart((app) => {
  app.post<{ Body: Buffer }>('/', async ({ body }) => bytes(await ask(floats(body))));
});
