import { ops, type SilverlodeError, type Tensor, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { cases, type Input, probeInput, run } from '../cases/bloom_probe.js';
import { makeHashes, makeTermRows } from '../cases/term_rows.js';
import { bitReader } from '../reference/bits.js';
import { termsOf } from '../reference/bloom.js';
import { bloomProbe } from '../reference/bloom_probe.js';
import { checkCases, expectCode, forEachLevel, property } from '../support/ops.js';

checkCases(cases, run, bloomProbe);

describe('layout, build and probe together', () => {
  property('never miss a row that holds the term, and hit few others', 5, async (random) => {
    const terms = 300;
    const load = random.pick(['even', 'skewed blocks', 'one huge row', 'one each'] as const);
    const rows = makeTermRows(random, 4 * 512, terms, load);
    const termHashes = tensor(makeHashes(random, terms)) as Tensor;
    const layout = await ops.bloomLayout(rows.offsets);
    const positions = Number(layout.view().at(-1));
    const bloom = await ops.bloomBuild(rows, termHashes, layout, { positions });
    const hit = bitReader((await ops.bloomProbe(bloom, layout, termHashes)).view() as BigInt64Array);
    let [wrong, others] = [0, 0];
    for (let row = 0; row < 2048; row++) {
      const own = new Set(termsOf(rows.offsets.view(), rows.terms.view(), row));
      // The signature of a row with far more terms than its block expects is full: all it says is "perhaps".
      const countable = own.size < 100;
      for (let term = 0; term < terms; term++) {
        if (own.has(term)) expect(hit(term * 2048 + row)).toBe(true);
        else if (countable) {
          others++;
          if (hit(term * 2048 + row)) wrong++;
        }
      }
    }
    expect(wrong / others).toBeLessThan(0.02);
  });
});

const good = () => probeInput({ rows: 1024, terms: 100 }, new Random(1));

forEachLevel(() => {
  test('a broken layout is refused', async () => {
    for (const offset of [-1n, 10n ** 6n, 2n ** 62n, -(2n ** 63n)]) {
      for (const at of [0, 1, 2]) {
        const input = good();
        input.layout.view().fill(offset, at, at + 1);
        await expectCode('INVALID_ARGUMENT', () => run(input));
      }
    }
  });
});

test('wrong inputs', async () => {
  const input = good();
  const wrong = (code: SilverlodeError['code'], change: Partial<Record<keyof Input, unknown>>) =>
    expectCode(code, () => run({ ...input, ...change } as Input));
  for (const hashes of [0, -1, 17, 1.5]) await wrong('INVALID_ARGUMENT', { hashes });
  await wrong('SHAPE_MISMATCH', { bloom: input.bloom.reshape([input.bloom.view().length]) });
  await wrong('SHAPE_MISMATCH', { bloom: input.bloom.reshape([input.bloom.view().length / 4, 4]) });
  await wrong('SHAPE_MISMATCH', { layout: tensor(new BigInt64Array(0)) });
  await wrong('SHAPE_MISMATCH', { termHashes: tensor([1n], { shape: [1, 1] }) });
  await wrong('UNSUPPORTED_DTYPE', { bloom: tensor(new Int32Array(8), { shape: [1, 8] }) });
  await wrong('UNSUPPORTED_DTYPE', { layout: tensor([0]) });
  await wrong('UNSUPPORTED_DTYPE', { termHashes: tensor([0]) });
});
