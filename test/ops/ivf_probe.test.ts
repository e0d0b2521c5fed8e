import { type Tensor, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { PLANS } from '../cases/filter_index.js';
import { cases, type Input, run } from '../cases/ivf_probe.js';
import { ivfProbe } from '../reference/ivf_probe.js';
import { checkCases, expectCode } from '../support/ops.js';

checkCases(cases, defined, ivfProbe);

/** The outputs with what is undefined in them made plain: lists end with -1, masks hold the request's clusters only. */
async function defined(input: Input) {
  const { clusters, counts, mask, maskOf, stats } = await run(input);
  const [batch, heads, n] = clusters.shape as [number, number, number];
  const words = mask.shape[1] as number;
  const int32s = (output: Tensor) => output.view() as Int32Array;
  const begins = int32s(input.clusters.clusterBegin as Tensor);
  const lists = int32s(clusters as Tensor).slice();
  const masks = new BigInt64Array(batch * words);
  for (let q = 0; q < batch * heads; q++) {
    const list = lists.subarray(q * n, (q + 1) * n);
    list.fill(-1, int32s(counts as Tensor)[q]);
    const request = Math.floor(q / heads);
    const source = int32s(maskOf as Tensor)[request] as number;
    const all = source < 0 ? input.clusters.live : mask;
    const row = ((all as Tensor).view() as BigInt64Array).subarray(Math.max(0, source) * words);
    for (const cluster of list) {
      if (cluster < 0) break;
      const [begin, end] = [...begins.subarray(cluster, cluster + 2)].map((at) => at / 64) as [number, number];
      masks.set(row.subarray(begin, end), request * words + begin);
    }
  }
  return { clusters: lists, counts, mask: masks, maskOf, stats };
}

const rich = () => (cases.find(({ sizes }) => 'exclude' in sizes && 'plan' in sizes) as (typeof cases)[0]).input();

test('shapes', async () => {
  const input = rich();
  const words = input.clusters.live.shape[0];
  const { clusters, counts, mask, maskOf, stats } = await run(input);
  expect(clusters.shape).toEqual([7, 3, 60]);
  expect(counts.shape).toEqual([7, 3]);
  expect(mask.shape).toEqual([7, words]);
  expect(maskOf.shape).toEqual([7]);
  expect(stats.shape).toEqual([7, 4]);
});

test('requests that make no sense', async () => {
  const set = (pick: (input: Input) => unknown, at: number, value: number | bigint) => () => {
    const input = rich();
    (pick(input) as Tensor<'int32'>).view()[at] = value as number;
    return run(input);
  };
  const rows = 64 * (rich().clusters.live.shape[0] as number);
  const wrong = [
    set(({ requests }) => requests.excludeRows, 0, rows),
    set(({ requests }) => requests.excludeOffsets, 0, 1),
    set(({ requests }) => requests.excludeOffsets, 3, 1_000_000),
    set(({ requests }) => requests.excludeOffsets, 2, -1),
    set(({ requests }) => requests.planIndex, 1, PLANS.length),
    set(({ requests }) => requests.planIndex, 1, -2),
    set(({ requests }) => requests.plans.offsets, 1, -1),
    set(({ requests }) => requests.plans.offsets, PLANS.length, 1000),
    set(({ requests }) => requests.plans.steps, 0, 9n),
    set(({ requests }) => requests.plans.steps, 0, 6n),
    set(({ clusters }) => clusters.clusterBegin, 1, 63),
    set(({ clusters }) => clusters.clusterBegin, 1, -64),
    set(({ clusters }) => clusters.clusterBegin, 60, rows + 64),
  ];
  for (const action of wrong) await expectCode('INVALID_ARGUMENT', action);
});

test('wrong inputs', async () => {
  const input = rich();
  const probe = (change: object) => {
    const { queries, clusters, requests, index } = input;
    return run({
      ...input,
      queries: { ...queries, ...change },
      clusters: { ...clusters, ...change },
      requests: { ...requests, ...change },
      index: { ...index, ...change },
      ...change,
    });
  };
  const seven = tensor(new Float32Array(7));
  await expectCode('UNSUPPORTED_DTYPE', () => probe({ probes: seven }));
  await expectCode('UNSUPPORTED_DTYPE', () =>
    probe({ quantized: tensor(new Float32Array(672), { shape: [7, 3, 32] }) }),
  );
  await expectCode('SHAPE_MISMATCH', () => probe({ quantized: tensor(new Int8Array(32), { shape: [1, 1, 32] }) }));
  await expectCode('SHAPE_MISMATCH', () => probe({ centroids: tensor(new Int8Array(0), { shape: [0, 32] }) }));
  await expectCode('SHAPE_MISMATCH', () => probe({ centroids: tensor(new Int8Array(60), { shape: [60, 1] }) }));
  await expectCode('SHAPE_MISMATCH', () => probe({ centroidBias: seven }));
  await expectCode('SHAPE_MISMATCH', () => probe({ minCandidates: tensor(new Int32Array(6)) }));
  await expectCode('SHAPE_MISMATCH', () => probe({ live: tensor(new BigInt64Array(8)) }));
  await expectCode('INVALID_ARGUMENT', () => probe({ metric: 'dot' }));
});
