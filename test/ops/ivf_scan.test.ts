import { ops, type Tensor, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { cases, type Input, run } from '../cases/ivf_scan.js';
import { ivfScan } from '../reference/ivf_scan.js';
import { checkCases, expectCode, property } from '../support/ops.js';

checkCases(cases, run, ivfScan);

const first = () => (cases[3] as (typeof cases)[0]).input(); // 7 requests, 3 heads

test('shapes', async () => {
  const { scores, ordinals, scanned } = await run(first());
  expect(scores.shape).toEqual([7, 3, 20]);
  expect(ordinals.shape).toEqual([7, 3, 20]);
  expect(scanned.shape).toEqual([7]);
});

property('a request answers the same alone as in any batch', 5, async (random) => {
  const input = first();
  const together = await run(input);
  const request = random.integer(7);
  const alone = await run(only(input, request));
  expect(alone.scores.view()).toEqual(together.scores.view().slice(request * 60, (request + 1) * 60));
  expect(alone.ordinals.view()).toEqual(together.ordinals.view().slice(request * 60, (request + 1) * 60));
});

/** One request of a batch, with its mask as the only one. */
function only(input: Input, request: number): Input {
  const row = <T extends Tensor>(all: T, at = request): T => {
    const width = all.view().length / 7;
    const data = all.view().slice(at * width, (at + 1) * width);
    return tensor(data, { shape: [1, ...all.shape.slice(1)] }) as T;
  };
  const { queries, probed } = input;
  const maskOf = probed.maskOf.view()[request] as number;
  return {
    ...input,
    queries: { quantized: row(queries.quantized), scales: row(queries.scales) },
    probed: {
      clusters: row(probed.clusters),
      counts: row(probed.counts),
      mask: row(probed.mask, Math.max(0, maskOf)),
      maskOf: tensor([Math.min(0, maskOf)], { dtype: 'int32' }),
    },
    limits: row(input.limits),
  };
}

test('lists and masks out of range', async () => {
  const broken: [(input: Input) => Tensor<'int32'>, number, number][] = [
    [(input) => input.probed.clusters, 0, 8],
    [(input) => input.probed.clusters, 0, -1],
    [(input) => input.probed.counts, 2, 9],
    [(input) => input.probed.counts, 2, -1],
    [(input) => input.probed.maskOf, 1, 7],
    [(input) => input.probed.maskOf, 1, -2],
  ];
  for (const [pick, at, value] of broken) {
    const input = first();
    pick(input).view()[at] = value;
    await expectCode('INVALID_ARGUMENT', () => run(input));
  }
  for (const begins of [
    [0, 64, 32],
    [0, 64, 63],
    [64, 0, 64],
    [0, 64, 1 << 20],
    [-64, 0, 64],
  ]) {
    const input = first();
    input.probed.counts.view().fill(8);
    const lists = input.probed.clusters.view();
    lists.forEach((_, i) => {
      lists[i] = i % 8;
    });
    input.index.clusterBegin.view().set(begins);
    await expectCode('INVALID_ARGUMENT', () => run(input));
  }
});

test('wrong inputs', async () => {
  const input = first();
  const { queries, index, probed, limits } = input;
  const scan = (change: object, k = 5) =>
    ops.ivfScan(queries, { ...index, ...change }, { ...probed, ...change }, { k, limits, ...change });
  const int32 = tensor(new Int32Array(7));
  await expectCode('UNSUPPORTED_DTYPE', () => scan({ rows: tensor(new Float32Array(4), { shape: [1, 4] }) }));
  await expectCode('UNSUPPORTED_DTYPE', () => scan({ rowScales: tensor(new Int32Array(1024)) }));
  await expectCode('UNSUPPORTED_DTYPE', () => scan({ mask: tensor(new Int32Array(14), { shape: [7, 2] }) }));
  await expectCode('SHAPE_MISMATCH', () => scan({ rows: tensor(new Int8Array(64), { shape: [1, 64] }) }));
  await expectCode('SHAPE_MISMATCH', () => scan({ rowBias: tensor([1]) }));
  await expectCode('SHAPE_MISMATCH', () => scan({ clusterBegin: int32 }));
  await expectCode('SHAPE_MISMATCH', () => scan({ limits: tensor(new Int32Array(6)) }));
  await expectCode('SHAPE_MISMATCH', () =>
    scan({ live: tensor([0n]), mask: tensor(new BigInt64Array(7), { shape: [7, 1] }) }),
  );
  await expectCode('INVALID_ARGUMENT', () => scan({}, 0));
  await expectCode('INVALID_ARGUMENT', () => scan({ metric: 'dot' }));
});
