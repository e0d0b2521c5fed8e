import { ops, type SilverlodeError, tensor } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { bloomInput, cases, type Input, run } from '../cases/bloom_build.js';
import { bloomBuild } from '../reference/bloom_build.js';
import { checkCases, expectCode, forEachLevel } from '../support/ops.js';

checkCases(cases, run, bloomBuild);

test('the default is four hashes', async () => {
  const input = bloomInput({ rows: 512 }, new Random(1));
  const own = await ops.bloomBuild(input.rows, input.termHashes, input.layout, { positions: input.positions });
  expect(own.view()).toEqual((await run(input)).bloom.view());
  expect(own.shape).toEqual([input.positions, 8]);
});

describe('bad data is refused before anything is written', () => {
  const good = () => bloomInput({ rows: 1024, terms: 100 }, new Random(1));
  const wrong = async (change: (input: Input) => void) => {
    const input = good();
    change(input);
    await expectCode('INVALID_ARGUMENT', () => run(input));
  };

  forEachLevel(() => {
    test('terms, offsets and layout out of range', async () => {
      for (const term of [-1, 100, 2 ** 31 - 1]) await wrong(({ rows }) => rows.terms.view().fill(term, 3, 4));
      for (const offset of [-1, 10 ** 6, 2 ** 31 - 1])
        await wrong(({ rows }) => rows.offsets.view().fill(offset, 700, 701));
      await wrong(({ rows }) => rows.offsets.view().fill(1, 0, 1));
      for (const offset of [-1n, 10n ** 6n, 2n ** 62n]) await wrong(({ layout }) => layout.view().fill(offset, 1, 2));
      await wrong(({ layout }) => layout.view().fill(0n, 1, 2)); // a block with terms needs positions
    });
  });
});

test('wrong inputs', async () => {
  const good = bloomInput({ rows: 512 }, new Random(1));
  const wrong = (code: SilverlodeError['code'], change: object) => expectCode(code, () => run({ ...good, ...change }));
  const { rows, layout } = good;
  for (const hashes of [0, -1, 17, 1.5]) await wrong('INVALID_ARGUMENT', { hashes });
  for (const positions of [-1, 1.5, 2 ** 50]) await wrong('INVALID_ARGUMENT', { positions });
  await wrong('INVALID_ARGUMENT', { positions: good.positions - 1 });
  await wrong('SHAPE_MISMATCH', { layout: tensor([0n]) });
  await wrong('SHAPE_MISMATCH', { rows: { ...rows, offsets: tensor(Int32Array.of(0, 0)) } });
  await wrong('SHAPE_MISMATCH', { rows: { ...rows, terms: rows.terms.reshape([rows.terms.view().length, 1]) } });
  await wrong('UNSUPPORTED_DTYPE', { rows: { ...rows, terms: layout } });
  await wrong('UNSUPPORTED_DTYPE', { rows: { ...rows, offsets: tensor(new BigInt64Array(513)) } });
  await wrong('UNSUPPORTED_DTYPE', { termHashes: rows.terms });
  await wrong('UNSUPPORTED_DTYPE', { layout: rows.terms });
});
