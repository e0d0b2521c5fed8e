// Nothing heavy runs on the event loop: the figures are printed, the assertion is only that timers fire.
import { publish } from 'silverlode';
import { expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';

const items = 100_000;
const dims = 64;
const random = new Random(1);
const data = Float32Array.from({ length: items * dims }, () => random.normal());
const given = {
  items: {
    ids: Array.from({ length: items }, (_, i) => `item ${i}`),
    embeddings: { data, shape: [items, dims] as const },
    attributes: {
      language: Array.from({ length: items }, (_, i) => ['en', 'de', 'fr'][i % 3]),
      tag: Array.from({ length: items }, (_, i) => [`t${i % 100}`, `t${i % 777}`]),
      year: Int32Array.from({ length: items }, (_, i) => 1950 + (i % 75)),
    },
  },
};

/** How late timers are, in milliseconds, while `work` is under way. */
async function timerDelays(
  work: Promise<unknown>,
): Promise<{ fired: number; p50: number; p99: number; worst: number }> {
  const delays: number[] = [];
  let due = performance.now() + 2;
  const tick = () => {
    delays.push(performance.now() - due);
    due = performance.now() + 2;
    timer = setTimeout(tick, 2);
  };
  let timer = setTimeout(tick, 2);
  await work;
  clearTimeout(timer);
  delays.sort((a, b) => a - b);
  const quantile = (q: number) => Number((delays[Math.floor(q * delays.length)] ?? 0).toFixed(2));
  return { fired: delays.length, p50: quantile(0.5), p99: quantile(0.99), worst: quantile(0.9999) };
}

test('the event loop stays free during a publish of some seconds and under continuous retrieval', async () => {
  const started = performance.now();
  const publishing = publish({ ...given, index: { clusters: 1024 } });
  const during = await timerDelays(publishing);
  console.log(`publish of ${items} items, ${(performance.now() - started).toFixed(0)} ms; timer delay in ms:`, during);
  expect(during.fired).toBeGreaterThan(10);

  const model = await publishing;
  const requests = Array.from({ length: 64 }, (_, i) => ({
    embedding: data.slice(dims * i, dims * (i + 1)),
    filter: i % 2 ? 'language:en AND NOT tag:t5' : undefined,
  }));
  let answered = 0;
  const lane = async () => {
    for (let round = 0; round < 200; round++) answered += (await model.retrieve(requests)).length;
  };
  const retrieving = await timerDelays(Promise.all([lane(), lane(), lane()]));
  console.log(`${answered} requests; timer delay in ms:`, retrieving);
  expect(retrieving.fired).toBeGreaterThan(10);
  await model.close();
});
