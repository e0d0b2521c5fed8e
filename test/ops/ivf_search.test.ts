import { ops, type Tensor, tensor } from 'silverlode';
import { expect, test } from 'vitest';
import { HASHES, PLANS } from '../cases/filter_index.js';
import { cases, type Input, run } from '../cases/ivf_search.js';
import { ivfSearch } from '../reference/ivf_search.js';
import { checkCases, expectBits, expectCode, property } from '../support/ops.js';

checkCases(cases, run, ivfSearch);

const find = (holds: (sizes: Record<string, unknown>) => boolean) =>
  (cases.find(({ sizes }) => holds(sizes as Record<string, unknown>)) as (typeof cases)[0]).input();

/** Filters, excludes, all kinds of requests: 7 with 3 heads. */
const rich = () =>
  find(({ batch, allowedMisses, plan, offsets }) => {
    return batch === 7 && allowedMisses === 'random' && plan === 'random' && offsets === true;
  });

test('shapes', async () => {
  const { scores, ordinals, counts, stats, misses } = await run(rich());
  expect(scores.shape).toEqual([7, 3, 20]);
  expect(ordinals.shape).toEqual([7, 3, 20]);
  expect(counts.shape).toEqual([7, 3]);
  expect(stats.shape).toEqual([7, 5]);
  expect(misses.shape).toEqual([7]);
});

property('a request answers the same alone as in any batch', 10, async (random) => {
  const input = rich();
  const together = await run(input);
  const requests = Array.from({ length: 1 + random.integer(9) }, () => random.integer(7));
  for (const members of [requests, requests.slice(0, 1)]) {
    const among = await run(batchOf(input, members));
    for (const [name, output] of Object.entries(together)) {
      const expected = rowsOf(output as Tensor, members);
      expectBits({ [name]: among[name as keyof typeof among] }, { [name]: expected.view() });
    }
  }
});

/** The rows of a tensor whose first dimension is the batch. */
function rowsOf<T extends Tensor>(all: T, members: readonly number[]): T {
  const width = all.view().length / (all.shape[0] as number);
  const values = all.view() as Float32Array;
  const data = new (values.constructor as Float32ArrayConstructor)(members.length * width);
  members.forEach((member, i) => {
    data.set(values.subarray(member * width, (member + 1) * width), i * width);
  });
  return tensor(data, { shape: [members.length, ...all.shape.slice(1)] }) as unknown as T;
}

/** A batch of requests of another one. */
function batchOf(input: Input, members: readonly number[]): Input {
  const { queries, requests, offsets } = input;
  const row = <T extends Tensor>(all: T): T => rowsOf(all, members);
  const excludes = members.map((member) => {
    const [begin, end] = requests.excludeOffsets.view().subarray(member, member + 2);
    return [...requests.excludeRows.view().subarray(begin, end)];
  });
  const begins = Int32Array.from(excludes, (_, i) => excludes.slice(0, i).flat().length);
  return {
    ...input,
    queries: { quantized: row(queries.quantized), scales: row(queries.scales) },
    requests: {
      probes: row(requests.probes),
      minCandidates: row(requests.minCandidates),
      exact: row(requests.exact),
      planIndex: row(requests.planIndex),
      plans: requests.plans,
      excludeOffsets: tensor(begins),
      excludeRows: tensor(Int32Array.from(excludes.flat())),
      limits: row(requests.limits),
      allowedMisses: row(requests.allowedMisses),
    },
    offsets: offsets && row(offsets),
  } as Input;
}

/** What probing and scanning find for the same requests; nothing is estimated. */
async function probeAndScan({ queries, index, requests, filter, k, metric }: Input) {
  const probed = await ops.ivfProbe(queries, index, requests, filter, { metric, hashes: HASHES });
  const { scores, ordinals, scanned } = await ops.ivfScan(queries, index, probed, {
    k,
    limits: requests.limits,
    metric,
  });
  const stats = BigInt64Array.from({ length: 5 * 7 }, (_, at) => {
    const [request, entry] = [Math.floor(at / 5), at % 5];
    return (entry === 4 ? scanned.view()[request] : probed.stats.view()[4 * request + entry]) as bigint;
  });
  const [counts, misses] = [probed.counts.view(), new Float32Array(7)];
  return { scores: scores.view(), ordinals: ordinals.view(), counts, stats, misses };
}

test('requests that say how many clusters they probe find what probing and scanning find', async () => {
  for (const metric of ['ip', 'cosine', 'l2'] as const) {
    const input = { ...rich(), metric, offsets: undefined };
    // A cluster is ranked by the score of its centroid.
    input.index.clusterStats.view().fill(0).fill(1, 0, 60);
    input.requests.allowedMisses.view().fill(-1);
    expectBits(await run(input), await probeAndScan(input));
  }
});

test('where members may lie anywhere, requests that allow no misses scan every cluster', async () => {
  const input = { ...rich(), offsets: undefined };
  input.requests.limits.view().fill(5);
  input.requests.probes.view().fill(0);
  const expected = await probeAndScan(input);
  input.requests.allowedMisses.view().fill(0);
  input.index.tail.view().fill(2 ** 20);
  input.index.clusterStats.view().fill(64, 4 * 60);
  expectBits(await run(input), expected);
});

property('a request that allows fewer misses scans no fewer clusters and finds no worse rows', 5, async (random) => {
  const input = { ...rich(), offsets: undefined };
  const allowed = Array.from({ length: 7 }, () => [random.uniform() * 2, 2 + random.uniform() * 20]);
  const allow = (which: number) => {
    input.requests.allowedMisses.view().set(allowed.map((pair) => pair[which] as number));
    return run(input);
  };
  const [few, many] = [await allow(0), await allow(1)];
  const atLeast = (values: ArrayLike<number>, least: ArrayLike<number>) =>
    expect(Array.from(values).every((value, at) => value >= (least[at] as number))).toBe(true);
  atLeast(few.counts.view(), many.counts.view());
  atLeast(few.scores.view(), many.scores.view());
});

test('requests that make no sense', async () => {
  const set = (pick: (input: Input) => Tensor, at: number, value: number | bigint) => () => {
    const input = rich();
    (pick(input) as Tensor<'int32'>).view()[at] = value as number;
    return run(input);
  };
  const rows = rich().index.rows.shape[0] as number;
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
    set(({ index }) => index.clusterBegin, 1, 63),
    set(({ index }) => index.clusterBegin, 1, -64),
    set(({ index }) => index.clusterBegin, 60, rows + 64),
    set(({ index }) => index.tail, 0, -1),
    set(({ index }) => index.tail, 255, 2 ** 20 + 1),
  ];
  for (const action of wrong) await expectCode('INVALID_ARGUMENT', action);
});

test('wrong inputs', async () => {
  const input = rich();
  const search = (change: object) => {
    const { queries, index, requests, filter } = input;
    return run({
      ...input,
      queries: { ...queries, ...change },
      index: { ...index, ...change },
      requests: { ...requests, ...change },
      filter: { ...filter, ...change },
      ...change,
    });
  };
  const int32 = (...shape: number[]) => tensor(new Int32Array(shape.reduce((a, b) => a * b)), { shape });
  const float32 = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), { shape });
  const rows = input.index.rows.shape[0] as number;
  await expectCode('UNSUPPORTED_DTYPE', () => search({ quantized: float32(7, 3, 32) }));
  await expectCode('UNSUPPORTED_DTYPE', () => search({ clusterStats: int32(5, 60) }));
  await expectCode('UNSUPPORTED_DTYPE', () => search({ tail: float32(256) }));
  await expectCode('UNSUPPORTED_DTYPE', () => search({ allowedMisses: int32(7) }));
  await expectCode('UNSUPPORTED_DTYPE', () => search({ offsets: int32(7, 3) }));
  await expectCode('UNSUPPORTED_DTYPE', () => search({ limits: float32(7) }));
  await expectCode('SHAPE_MISMATCH', () => search({ quantized: tensor(new Int8Array(32), { shape: [1, 1, 32] }) }));
  await expectCode('SHAPE_MISMATCH', () => search({ clusterStats: float32(4, 60) }));
  await expectCode('SHAPE_MISMATCH', () => search({ clusterStats: float32(5, 61) }));
  await expectCode('SHAPE_MISMATCH', () => search({ tail: int32(255) }));
  await expectCode('SHAPE_MISMATCH', () => search({ allowedMisses: float32(6) }));
  await expectCode('SHAPE_MISMATCH', () => search({ offsets: float32(7, 2) }));
  await expectCode('SHAPE_MISMATCH', () => search({ offsets: float32(21) }));
  await expectCode('SHAPE_MISMATCH', () => search({ limits: int32(6) }));
  await expectCode('SHAPE_MISMATCH', () => search({ rowScales: float32(rows - 1) }));
  await expectCode('SHAPE_MISMATCH', () => search({ centroidBias: float32(7) }));
  await expectCode('SHAPE_MISMATCH', () => search({ live: tensor(new BigInt64Array(8)) }));
  await expectCode('INVALID_ARGUMENT', () => search({ metric: 'dot' }));
  await expectCode('INVALID_ARGUMENT', () => search({ k: 0 }));
  await expectCode('INVALID_ARGUMENT', () => search({ firstRound: 0 }));
  await expectCode('INVALID_ARGUMENT', () => search({ firstRound: -1 }));
  await expectCode('INVALID_ARGUMENT', () => search({ firstRound: 2 ** 31 }));
  await expectCode('INVALID_ARGUMENT', () => search({ firstRound: 1.5 }));
});
