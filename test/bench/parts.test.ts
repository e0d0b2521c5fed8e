import { describe, expect, test } from 'vitest';
import { countBits, countMatches, makeFilterCatalogue, makeFilterQueries } from '../../bench/filter/catalogue.js';
import { countsOf, index, probe, requireProbed, wholeCatalogue } from '../../bench/filter/sides.js';
import { Ceilings } from '../../bench/parts/ceilings.js';
import { fastest, type Side, takeTurns, threadCounts } from '../../bench/parts/turns.js';
import { stageTimes, type TimedEvent } from '../../bench/publish/stages.js';
import {
  foldedCall,
  makeRerankData,
  plainCall,
  plainOperations,
  relativeError,
  toBfloat16,
} from '../../bench/rerank/network.js';
import { scoresOf } from '../../bench/topk/index.js';
import { Random } from '../../lib/data/random.js';
import type { Tensor } from '../../lib/index.js';

describe('takeTurns', () => {
  /** A side whose runs take the given seconds, one list entry a call; `calls` sees who ran and how often it worked. */
  function fake(name: string, seconds: readonly number[], calls: string[]): Side {
    let next = 0;
    return {
      name,
      async run(repeat) {
        calls.push(`${name} ${repeat}`);
        const wallSeconds = (seconds[Math.min(next++, seconds.length - 1)] as number) * repeat;
        return { wallSeconds, cpuSeconds: wallSeconds / 2 };
      },
    };
  }

  test('goes round after two runs of each that do not count, and fills the time of a round', async () => {
    const calls: string[] = [];
    const sides = [fake('a', [9, 0.01], calls), fake('b', [9, 0.1, 0.1, 0.3, 0.2], calls)];
    const taken = await takeTurns(sides, { seconds: 0.05, rounds: 3 });
    expect(calls.slice(0, 4)).toEqual(['a 1', 'a 1', 'b 1', 'b 1']);
    expect(calls.slice(4)).toEqual(['a 5', 'b 1', 'a 5', 'b 1', 'a 5', 'b 1']);
    expect(taken.get('a')?.medianMs).toBeCloseTo(10);
    expect(taken.get('b')?.medianMs).toBeCloseTo(200);
    expect(taken.get('b')?.cpuMs).toBeCloseTo(100);
    expect(taken.get('b')?.samples).toBe(3);
  });

  test('stops between two runs', async () => {
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(takeTurns([fake('a', [1], [])], { seconds: 1, rounds: 1 }, aborted)).rejects.toThrow('enough');
  });

  test('the fastest of those that took part', async () => {
    const taken = await takeTurns([fake('a', [2], []), fake('b', [1], [])], { seconds: 1, rounds: 1 });
    expect(fastest(taken, ['a', 'b', 'c'])?.name).toBe('b');
    expect(fastest(taken, ['c'])).toBeUndefined();
  });

  test('threads: one and all, or what was asked for', () => {
    expect([threadCounts(0, 8), threadCounts(0, 1), threadCounts(3, 8)]).toEqual([[1, 8], [1], [3]]);
  });
});

test('ceilings: every kind of work has a rate', async () => {
  await using ceilings = await Ceilings.start();
  for (const what of ['int8', 'float32', 'read'] as const) {
    const rate = await ceilings.measure(what, 2);
    expect(rate, what).toBeGreaterThan(1e6);
    expect(rate, what).toBeLessThan(1e16);
  }
});

describe('filters', () => {
  test('countBits counts what a loop counts', () => {
    const random = new Random(5);
    const words = BigInt64Array.from({ length: 100 }, (_, i) =>
      i === 0 ? -1n : BigInt.asIntN(64, (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())),
    );
    const naive = (word: bigint) => BigInt.asUintN(64, word).toString(2).replaceAll('0', '').length;
    expect(countBits(words)).toBe([...words].reduce((sum, word) => sum + naive(word), 0));
    expect(countBits(words, 1, 3)).toBe(naive(words[1] as bigint) + naive(words[2] as bigint));
  });

  test('slices, Bloom signatures and probing find the items that a loop finds', async () => {
    const catalogue = makeFilterCatalogue(5000, 11);
    const queries = makeFilterQueries(20, 12);
    const expected = queries.map((query) => countMatches(catalogue, query));
    expect(Math.max(...expected)).toBeGreaterThan(0);
    for (const share of [0, 2]) {
      const subject = await index(catalogue, share);
      const whole = await wholeCatalogue(subject, queries, 1, true);
      const { mask } = (await whole.outputs()) as Record<'mask', Tensor>;
      expect(countsOf(mask, queries.length), `slices from a share of ${share} on, seeds 11 and 12`).toEqual(expected);
      const probed = await probe(subject, queries, 1, true);
      expect(await requireProbed(probed, mask, subject.rows)).toBe(queries.length * catalogue.items);
      for (const call of [whole, probed]) call.dispose();
    }
  });
});

describe('stageTimes', () => {
  const event = (stage: string, done: number, total: number, at: number): TimedEvent => ({ stage, done, total, at });

  test('time belongs to the stage that runs, after its end to the one that follows', () => {
    const events = [
      ...[event('read', 0, 1, 2), event('k-means', 0, 2, 5), event('k-means', 1, 2, 15)],
      ...[event('assign', 0, 1, 25), event('assign', 1, 1, 40), event('filter', 0, 9, 47), event('filter', 9, 9, 50)],
    ];
    const times = stageTimes(events, 1, 60);
    expect([...times]).toEqual([
      ...[
        ['read', 1 + 3],
        ['k-means', 20],
        ['assign', 15],
        ['filter', 7 + 3],
        ['rest', 10],
      ],
    ]);
    expect([...times.values()].reduce((sum, ms) => sum + ms)).toBe(59);
  });

  test('without reports everything is the rest', () => {
    expect([...stageTimes([], 3, 10)]).toEqual([['rest', 7]]);
  });
});

describe('reranker', () => {
  test('bfloat16: nearest, ties to even', () => {
    const values = new Float32Array([1, -2.5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, Math.PI]);
    expect([...toBfloat16(values)]).toEqual([0x3f80, 0xc020, 0x3f80, 0x3f82, 0x4049]);
  });

  test('folded and plain networks agree, bfloat16 weights nearly', async () => {
    const data = makeRerankData(70, 8);
    const logits = async (call: Awaited<ReturnType<typeof plainCall>>) => {
      const outputs = (await call.outputs()) as Record<'logits', Tensor>;
      call.dispose();
      return outputs.logits.view() as Float32Array;
    };
    const plain = await logits(await plainCall(data, 'float32', 1));
    const folded = await logits((await foldedCall(data, 'float32', 1)) as never);
    const rounded = await logits(await plainCall(data, 'bfloat16', 1));
    expect(plain.length).toBe(70 * 4);
    expect(relativeError(folded, plain).worst).toBeLessThan(1e-4);
    const { worst, rms } = relativeError(rounded, plain);
    expect(worst).toBeLessThan(0.1);
    expect(rms).toBeGreaterThan(0);
  });

  test('operations of the plain network', () => {
    expect(plainOperations(10)).toBe(2 * 10 * (192 * 256 + 256 * 128 + 128 * 4));
  });

  test('errors are shares of the root mean square', () => {
    expect(relativeError([1, 2], [1, -2])).toEqual({ worst: 4 / Math.sqrt(2.5), rms: Math.sqrt(8 / 2.5) });
  });
});

test('scores lie as their name says', () => {
  const ascending = scoresOf('ascending', 100);
  expect([...ascending]).toEqual([...ascending].sort((a, b) => a - b));
  expect([...scoresOf('descending', 100)]).toEqual([...ascending].reverse());
  expect([...scoresOf('random', 100)].sort((a, b) => a - b)).toEqual([...ascending]);
  expect(new Set(scoresOf('many equal', 10_000)).size).toBe(100);
});
