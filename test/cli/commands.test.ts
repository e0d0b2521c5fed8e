// Every command with JSON and text, every input format, in this process.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Module, nn, publish, type SymbolicTensor } from 'silverlode';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeNpy } from '../../lib/io/npy.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, ITEMS, rows, writeFiles } from './fixture.js';
import { json, run, text } from './run.js';

const folder = await tempFolder();
const { path } = folder;
const BOOKS = path('books.silverlode');

const catalogue = ['--embeddings', path('items.npy'), '--attributes', path('items.jsonl')];
const fields = ['--fields', 'language,tags,year'];
const rerank = ['--rerank', path('rerank.safetensors'), '--features', path('features.npy')];

beforeAll(async () => {
  await writeFiles(folder);
  const formula = ['--value', 'sigmoid(click) + weight.like * sigmoid(like) + age', '--weights', 'like=0.5'];
  const names = ['--tasks', 'click,like', '--feature-names', 'age,rating'];
  await json('publish', ...catalogue, ...fields, '--id-field', 'sku', ...rerank, ...names, ...formula, '--out', BOOKS);
});

describe('devices', () => {
  test('lists what there is', async () => {
    const all = await json('devices');
    expect(all[0]).toMatchObject({ id: 'cpu', available: true });
    expect(await text('devices')).toMatch(/^id +available[\s\S]*\ncpu +yes/);
    expect(await json('devices', '--device', 'cpu')).toEqual([all[0]]);
  });

  test('fails for a device that cannot be used', async () => {
    const { code, stdout, stderr } = await run('devices', '--device', 'cuda:9', '--json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cuda:9: .*\(DEVICE_UNAVAILABLE\)\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'DEVICE_UNAVAILABLE', device: 'cuda:9' } });
  });
});

describe('publish', () => {
  test.each(['npy', 'fbin', 'fvecs', 'u8bin', 'bvecs', 'parquet'])('takes embeddings as .%s', async (extension) => {
    const out = path(`${extension}.silverlode`);
    const published = await json('publish', '--embeddings', path(`items.${extension}`), '--out', out);
    expect(published).toMatchObject({ path: out, items: ITEMS, dims: DIMS, clusters: 'flat', fields: [] });
    const { ids } = await json('query', out, '--embedding', `${path('users.npy')}:1`, '-k', 3);
    expect(ids).toHaveLength(3);
    expect(ids.every((id: unknown) => Number.isInteger(id))).toBe(true);
  });

  test.each([
    ['jsonl', []],
    ['csv', ['--list-separator', '|']],
  ])('takes attributes as .%s', async (extension, more) => {
    const out = path(`attributes-${extension}.silverlode`);
    const attributes = ['--attributes', path(`items.${extension}`), '--id-field', 'number', ...more];
    await json('publish', '--embeddings', path('items.npy'), ...attributes, ...fields, '--out', out);
    const filter = 'language:en AND tags:rock AND year:<1960';
    const { ids } = await json('query', out, '--vector', '1,0,0,0,0,0,0,0', '--filter', filter, '-k', ITEMS);
    const expected = rows.filter(
      ({ language, tags, year }) => language === 'en' && tags.includes('rock') && year !== null && year < 1960,
    );
    expect(ids.toSorted()).toEqual(expected.map((row) => row.number).toSorted());
  });

  test('takes other delimiters, and dates as text', async () => {
    const days = Array.from({ length: ITEMS }, (_, i) => `2024-01-${String(1 + (i % 28)).padStart(2, '0')}`);
    const csv = ['sku;added', ...days.map((day, i) => `${i};${i === 7 ? '' : day}`)].join('\n');
    await writeFile(path('dates.csv'), csv);
    await writeFile(path('tabs.csv'), csv.replaceAll(';', '\t'));
    for (const [file, delimiter] of [
      ['dates.csv', ';'],
      ['tabs.csv', '\\t'],
    ] as const) {
      const out = path('dates.silverlode');
      const attributes = [
        '--attributes',
        path(file),
        '--delimiter',
        delimiter,
        '--id-field',
        'sku',
        '--dates',
        'added',
      ];
      await json('publish', '--embeddings', path('items.npy'), ...attributes, '--out', out);
      const filter = 'added:[2024-01-05 TO 2024-01-10]';
      const { ids } = await json('query', out, '--vector', '1,0,0,0,0,0,0,0', '--filter', filter, '-k', ITEMS);
      const expected = days.flatMap((day, i) => (i !== 7 && day >= '2024-01-05' && day <= '2024-01-10' ? [i] : []));
      expect(ids.toSorted((a: number, b: number) => a - b)).toEqual(expected);
    }
    const bad = ['--attributes', path('dates.csv'), '--delimiter', ';', '--dates', 'none'];
    const { code, stderr } = await run('publish', '--embeddings', path('items.npy'), ...bad, '--out', path('bad'));
    expect([code, stderr]).toEqual([1, expect.stringContaining("has no column 'none'")]);
  });

  test('takes ids, fields and embeddings from one Parquet file', async () => {
    const file = path('items.parquet');
    const out = path('parquet.silverlode');
    const sources = ['--embeddings', file, '--attributes', file, '--id-field', 'sku'];
    expect(await json('publish', ...sources, '--out', out)).toMatchObject({ fields: ['language'] });
    expect(await json('publish', ...sources, '--fields', 'language', '--out', out)).toMatchObject({
      fields: ['language'],
    });
    const { ids } = await json('query', out, '--embedding', file, '-k', 1, '--filter', 'language:en');
    expect(ids[0]).toMatch(/^item-\d+$/);
  });

  test('takes ids from a file of their own', async () => {
    const out = path('ids.silverlode');
    await json('publish', '--embeddings', path('items.npy'), '--ids', path('ids.npy'), '--out', out);
    const query = ['query', out, '--embedding', path('users.npy'), '-k', '2'];
    const { ids } = await json(...query);
    expect(ids[0]).toMatch(/^11529215046068\d+$/);
    expect((await json(...query, '--exclude', ids[0])).ids[0]).toBe(ids[1]);
    await json('publish', ...catalogue, ...fields, '--ids', path('items.csv'), '--id-field', 'sku', '--out', out);
    expect((await json(...query)).ids[0]).toMatch(/^item-/);
  });

  test('skips nested columns with a note', async () => {
    const { code, stdout, stderr } = await run('publish', ...catalogue, '--out', path('nested.silverlode'));
    expect(code).toBe(0);
    expect(stderr).toBe(`note: skipped nested columns of ${path('items.jsonl')}: shelf\n`);
    expect(stdout).toMatch(/^fields +sku, number, language, tags, year$/m);
  });

  test('clusters, tunes with queries, and takes probes as given', async () => {
    const base = ['publish', '--embeddings', path('items.npy'), '--metric', 'cosine', '--clusters', 16];
    const tuned = ['--queries', path('users.npy'), '--seed', 3, '--threads', 1];
    const out = path('ivf.silverlode');
    expect(await json(...base, ...tuned, '--out', out)).toMatchObject({ clusters: 16, metric: 'cosine' });
    expect(await json(...base, '--probes', 5, '--out', out)).toMatchObject({ probes: 5 });
  });

  test.each([
    ['embeddings that are not there', ['--embeddings', path('none.npy')], 'IO_ERROR', 'none.npy'],
    ['an unknown extension', ['--embeddings', path('items.txt')], 'INVALID_ARGUMENT', '.txt'],
    ['an unknown id field', [...catalogue, '--id-field', 'isbn'], 'UNKNOWN_FIELD', "'isbn'"],
    ['an unknown field', [...catalogue, '--fields', 'color'], 'UNKNOWN_FIELD', "'color'"],
    ['a nested field that was asked for', [...catalogue, '--fields', 'shelf'], 'INVALID_ARGUMENT', '"shelf"'],
    ['NaN, naming the item', ['--embeddings', path('nan.npy')], 'INVALID_ARGUMENT', 'item 2'],
    ['repeated ids', [...catalogue, '--id-field', 'language'], 'INVALID_ARGUMENT', 'repeats'],
    ['a formula', ['--embeddings', path('items.npy'), '--value', '1 +'], 'FORMULA_SYNTAX', 'position'],
    ['too few tasks', [...catalogue, ...rerank, '--tasks', 'click'], 'SHAPE_MISMATCH', '2 logits for 1 tasks'],
    ['foreign weights', [...catalogue, '--rerank', BOOKS, '--tasks', 'a'], 'INVALID_ARGUMENT', 'layers.0.weight'],
  ])('refuses %s and writes nothing', async (_, args, code, message) => {
    await writeNpy(path('nan.npy'), { dtype: 'float32', shape: [3, 1], data: Float32Array.of(1, 2, NaN) });
    const out = path('refused.silverlode');
    const refused = await run('publish', ...args, '--out', out);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/\([A-Z_]+\)\n$/);
    expect(refused.stderr).toContain(`(${code})`);
    expect(refused.stderr).toContain(message);
    expect((await readdir(dirname(out))).filter((name) => name.startsWith('refused'))).toEqual([]);
  });

  test('finds out before the work that it cannot write', async () => {
    const refused = await run('publish', ...catalogue, '--out', path('no/such/folder.silverlode'));
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('(IO_ERROR)');
  });
});

describe('inspect', () => {
  test('tells what a model holds', async () => {
    const model = await json('inspect', BOOKS);
    expect(model).toMatchObject({
      path: BOOKS,
      fileBytes: (await readFile(BOOKS)).length,
      items: ITEMS,
      dims: DIMS,
      metric: 'ip',
      flat: true,
      heads: 1,
      ids: 'string',
      fields: [
        { name: 'language', type: 'string', multi: false },
        { name: 'tags', type: 'string', multi: true },
        { name: 'year', type: 'int64', multi: false },
      ],
      tasks: ['click', 'like'],
      columns: ['age', 'rating'],
      weights: [{ name: 'like', default: 0.5 }],
      tower: null,
    });
    const bytes = model.tensors.map((tensor: { bytes: number }) => tensor.bytes);
    expect(bytes.reduce((sum: number, each: number) => sum + each, 0)).toBe(model.bytes);
    const shown = await text('inspect', BOOKS, '--no-verify');
    expect(shown).toMatch(/^items +200$/m);
    expect(shown).toMatch(/^tags +string +yes$/m);
    expect(shown).toMatch(/^features +float32 +200 x 2 +1600$/m);
  });

  test('fails for another file', async () => {
    expect(await run('inspect', path('items.npy'))).toMatchObject({ code: 1, stdout: '' });
    expect((await run('inspect', path('none.silverlode'))).stderr).toContain('(IO_ERROR)');
  });
});

describe('query', () => {
  const user = ['--embedding', `${path('users.npy')}:2`];

  test('answers with scores, tasks and stats', async () => {
    const answer = await json('query', BOOKS, ...user, '--filter', 'language:en', '-k', 5, '--candidates', 50);
    expect(answer.ids).toHaveLength(5);
    expect(answer.scores).toEqual(answer.scores.toSorted((a: number, b: number) => b - a));
    expect(Object.keys(answer.tasks)).toEqual(['click', 'like']);
    expect(answer.stats).toMatchObject({ strategy: 'flat', candidates: 50 });
    expect(answer.plan ?? answer.profile).toBeUndefined();
    const shown = await text('query', BOOKS, ...user, '-k', 2);
    expect(shown).toMatch(/^rank +id +score +click +like\n +1 +item-\d+/);
    expect(shown).toMatch(/^strategy +flat$/m);
    expect(await text('query', BOOKS, ...user, '--filter', 'language:fr')).toMatch(/^no item is eligible\n/);
  });

  test('takes weights, excluded ids and inline vectors', async () => {
    const vector = ['--vector', '0.5,-1,0,0,2e-1,0,0,1'];
    const [first, second] = [
      await json('query', BOOKS, ...vector, '-k', 3),
      await json('query', BOOKS, ...vector, '-k', 3, '--weight', 'like=10'),
    ];
    expect(first.scores).not.toEqual(second.scores);
    const without = await json('query', BOOKS, ...vector, '-k', 3, '--exclude', `${first.ids[0]},nothing`);
    expect(without.ids.slice(0, 2)).toEqual(first.ids.slice(1));
  });

  test('explains and profiles', async () => {
    const { plan, profile } = await json('query', BOOKS, ...user, '--explain', '--profile');
    expect(plan).toMatchObject({ strategy: 'flat', k: 10 });
    expect(profile.map(({ op }: { op: string }) => op)).toContain('ivf_scan');
    const shown = await text('query', BOOKS, ...user, '--explain', '--profile');
    expect(shown).toMatch(/^arenaBytes +\d+$/m);
    expect(shown).toMatch(/^index +ivf_scan/m);
  });

  test.each([
    ['a filter', [...user, '--filter', 'language:'], 'FILTER_SYNTAX'],
    ['an unknown field', [...user, '--filter', 'color:red'], 'UNKNOWN_FIELD'],
    ['another dimension', ['--vector', '1,2'], 'SHAPE_MISMATCH'],
    ['a row that is not there', ['--embedding', `${path('users.npy')}:4`], 'INVALID_ARGUMENT'],
    ['an unknown weight', [...user, '--weight', 'hate=1'], 'INVALID_ARGUMENT'],
    ['a user for a model without tower', ['--user', '{"age": 3}'], 'INVALID_ARGUMENT'],
  ])('refuses %s', async (_, args, code) => {
    const refused = await run('query', BOOKS, ...args);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`(${code})`);
  });

  test('takes tower inputs as JSON', async () => {
    class AgeTower extends Module {
      readonly inputs = { ages: { dtype: 'float32', shape: ['batch', 2] } } as const;
      readonly mlp = new nn.Mlp([2, DIMS]);
      forward({ ages }: { ages: SymbolicTensor }) {
        return nn.call('mlp', this.mlp, ages);
      }
    }
    const out = path('tower.silverlode');
    const embeddings = { data: new Float32Array(3 * DIMS).fill(1), shape: [3, DIMS] as const };
    await using model = await publish({ items: { ids: ['a', 'b', 'c'], embeddings }, tower: new AgeTower() });
    await model.save(out);
    expect((await json('query', out, '--user', '{"ages": [3, 4]}')).ids).toEqual(['a', 'b', 'c']);
    expect((await run('query', out, '--user', '{"ages": ["x", 1]}')).stderr).toContain('user.ages must hold numbers');
    expect((await json('inspect', out)).tower).toEqual(['ages']);
  });

  test('refuses texts as ids of a model with integer ids', async () => {
    const out = path('rows.silverlode');
    await json('publish', '--embeddings', path('items.npy'), '--out', out);
    expect((await run('query', out, ...user, '--exclude', 'abc')).code).toBe(1);
    expect((await json('query', out, ...user, '--exclude', '2')).ids).not.toContain(2);
  });
});

describe('query --dump and --request', () => {
  test('ask the same again', async () => {
    const file = path('request.json');
    const asked = ['--embedding', path('users.npy'), '-k', 5, '--filter', 'language:en', '--weight', 'like=2'];
    const first = await json('query', BOOKS, ...asked, '--exclude', 'item-0', '--dump', file);
    const again = await json('query', BOOKS, '--request', file, '--repeat', 3);
    expect(again.ids).toEqual(first.ids);
    expect(again.scores).toEqual(first.scores);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      k: 5,
      filter: 'language:en',
      exclude: ['item-0'],
    });
  });

  test('refuse what is no request', async () => {
    await folder.write('broken.json', '{"k": ');
    await folder.write('list.json', '[]');
    for (const name of ['broken.json', 'list.json']) {
      const { code, stderr } = await run('query', BOOKS, '--request', path(name));
      expect(code).toBe(1);
      expect(stderr).toMatch(/\(INVALID_ARGUMENT\)/);
    }
    expect((await run('query', BOOKS, '--request', path('none.json'))).stderr).toMatch(/\(IO_ERROR\)/);
  });
});

describe('tune', () => {
  test('stores probes in the model, or in a new one', async () => {
    const [model, out] = [path('tune.silverlode'), path('tuned.silverlode')];
    await json('publish', '--embeddings', path('items.npy'), '--clusters', 16, '--probes', 1, '--out', model);
    const tuning = ['tune', model, '--queries', path('users.npy'), '-k', 5];
    const tuned = await json(...tuning, '--recall', 1, '--out', out);
    expect(tuned).toMatchObject({ path: out, recall: 1 });
    expect((await json('inspect', out)).probes).toBe(tuned.probes);
    expect((await json('inspect', model)).probes).toBe(1);
    expect(tuned).toMatchObject({ against: 'exhaustive int8 search' });
    expect(tuned).not.toHaveProperty('trueRecall');
    const measured = await json(...tuning, '--embeddings', path('items.npy'), '--recall', 1, '--out', out);
    expect(measured).toMatchObject({ recall: 1, trueRecall: expect.any(Number) });
    expect(measured.trueRecall).toBeGreaterThan(0.9);
    expect(await text(...tuning)).toMatch(/^probes +recall\n[\s\S]*\nrecall +(1|0\.9[89]\d*)\n$/);
    expect((await json('inspect', model)).probes).toBeGreaterThan(1);
  });
});

describe('bench', () => {
  test('measures batches, recall and stages', async () => {
    const model = path('bench.silverlode');
    await json('publish', '--embeddings', path('items.npy'), '--clusters', 16, '--probes', 1, '--out', model);
    const bench = ['bench', model, '--queries', path('users.npy'), '-k', 5, '--seconds', 0.02, '--batches', '1,3'];
    const measured = await json(...bench);
    expect(measured).toMatchObject({ path: model, device: 'cpu', items: ITEMS, dims: DIMS, k: 5 });
    expect(measured.recall).toBeGreaterThan(0);
    expect(measured.recall).toBeLessThan(1);
    expect(measured.against).toBe('exhaustive int8 search');
    const true32 = await json(...bench, '--embeddings', path('items.npy'));
    expect(true32).toMatchObject({ against: 'exhaustive float32 search', int8Recall: expect.any(Number) });
    expect(true32.recall).toBeLessThan(true32.int8Recall);
    for (const [i, batch] of [1, 3].entries()) {
      const { runs, p50Ms, p99Ms, requestsPerSecond } = measured.batches[i];
      expect(measured.batches[i].batch).toBe(batch);
      expect(runs).toBeGreaterThan(0);
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
      expect(requestsPerSecond).toBeGreaterThan(0);
    }
    expect(measured.stages.map(({ op }: { op: string }) => op)).toContain('ivf_search');
    expect((await json(...bench, '--probes', 16)).recall).toBe(1);
    expect(await text(...bench)).toMatch(/recall +0[\s\S]*batch +runs +p50Ms[\s\S]*stage +op +milliseconds/);
  });

  test('refuses queries of another size', async () => {
    const { code, stderr } = await run('bench', BOOKS, '--queries', path('features.npy'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/\(SHAPE_MISMATCH\)/);
  });
});

test('publish keeps columns for results alone', async () => {
  const out = path('stored.silverlode');
  const catalogueOf = [...catalogue, '--id-field', 'sku', '--fields', 'language'];
  const published = await json('publish', ...catalogueOf, '--stored', 'tags,year', '--out', out);
  expect(published.fields).toEqual(['language']);
  const shown = await json('query', out, '--embedding', `${path('users.npy')}:1`, '-k', 2, '--select', 'year,language');
  expect(shown.items).toHaveLength(2);
  for (const item of shown.items) expect(Object.keys(item)).toEqual(['year', 'language']);
  const refused = await run('query', out, '--embedding', `${path('users.npy')}:1`, '--filter', 'year:1990');
  expect(refused.stderr).toContain('UNKNOWN_FIELD');
  expect((await run('publish', '--embeddings', path('items.npy'), '--stored', 'a', '--out', out)).code).toBe(2);
});

describe('evaluate', () => {
  test('judges lists by histories, and by embeddings', async () => {
    const inspected = await json('query', BOOKS, '--embedding', `${path('users.npy')}:0`, '-k', 6);
    const [first, second, ...others] = inspected.ids;
    const people = path('people.jsonl');
    const rows = [
      { history: [first], held: [second, ...others] },
      { history: [second, first], held: others },
      { history: [], held: [first] },
    ];
    await writeFile(people, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const judged = await json('evaluate', BOOKS, '--interactions', people, '-k', ITEMS);
    expect(judged).toMatchObject({ k: ITEMS, people: 2, recall: 1, hits: 1, unknown: 0 });
    expect(await text('evaluate', BOOKS, '--interactions', people)).toMatch(/recall +\d/);
    const missing = await run('evaluate', BOOKS, '--interactions', people, '--held', 'later');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("no column 'later'")]);
  });
});
