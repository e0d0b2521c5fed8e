// Model files: damage is refused, saving is all or nothing, and the standard library can read them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { nn, publish, RetrievalModel, readSafetensors, type SilverlodeError } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { buildSafetensorsHeader, parseSafetensorsHeader } from '../../lib/snapshot/safetensors.js';
import { importLine, runScript } from '../support/child.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';

const seed = Date.now() % 1_000_000;
console.log(`seed ${seed}`);
const folder = await tempFolder();

const items = 60;
const dims = 6;
const data = Float32Array.from({ length: items * dims }, (_, i) => Math.sin(i * i));
const model = await publish({
  items: {
    ids: Array.from({ length: items }, (_, i) => `item ${i}`),
    embeddings: { data, shape: [items, dims] },
    attributes: {
      language: Array.from({ length: items }, (_, i) => ['en', 'de', null][i % 3]),
      tag: Array.from({ length: items }, (_, i) => [`t${i % 13}`, `u${i}`]),
      year: Array.from({ length: items }, (_, i) => 1970 + i),
    },
    features: { data: data.slice(0, items), shape: [items, 1], names: ['age'] },
  },
  filter: { sliceThreshold: 0.1 },
  index: { clusters: 4 },
  rerank: new nn.OverArch({ dims, features: 1, hidden: [8], tasks: ['click'] }),
  value: 'sigmoid(click) + 0.1*age',
});
const path = folder.path('good.silverlode');
await model.save(path);
const good = await readFile(path);
const header = parseSafetensorsHeader(good, good.length);

const requests = [
  { embedding: data.slice(0, dims), k: items, filter: '(tag:t3 OR language:en) AND NOT tag:u4 AND year:<2020' },
  { embedding: data.slice(dims, 2 * dims), k: 5, exclude: ['item 3', 'item 50'], probes: 1 },
];
const expected = await model.retrieve(requests);

/** Loads a file and queries it: the error's code, or the answers. */
async function attempt(bytes: Uint8Array, verify = true) {
  const damaged = await folder.write('damaged.silverlode', bytes);
  try {
    using loaded = await RetrievalModel.load(damaged, { verify });
    return await loaded.retrieve(requests);
  } catch (error) {
    expect(error).toMatchObject({ name: 'SilverlodeError', message: expect.stringContaining(damaged) });
    return (error as SilverlodeError).code;
  }
}

function flipped(random: Random): Buffer {
  const bytes = Buffer.from(good);
  const manifest = header.tensors.find(({ name }) => name === 'manifest');
  // Every third flip hits the manifest or the header, which say how all else is read.
  const [begin, end] = random.pick([
    [0, good.length],
    [0, good.length],
    random.chance(0.5) ? [0, header.tensors[0]?.begin ?? 0] : [manifest?.begin ?? 0, manifest?.end ?? 0],
  ]) as [number, number];
  const at = begin + random.integer(end - begin);
  bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
  return bytes;
}

describe('a damaged file never crashes and never loads silently wrong data', () => {
  test('flipped bits are refused, or yield an identical model', async () => {
    const random = new Random(seed);
    const codes: Record<string, number> = {};
    for (let i = 0; i < 600; i++) {
      const result = await attempt(flipped(random));
      if (typeof result !== 'string') expect(result).toEqual(expected);
      const code = typeof result === 'string' ? result : 'identical';
      codes[code] = (codes[code] ?? 0) + 1;
    }
    console.log('flipped bits', codes);
    expect(Object.keys(codes).filter((code) => !['CORRUPT_FILE', 'UNSUPPORTED_VERSION'].includes(code))).toEqual([]);
  });

  test('truncated files are refused, at any length', async () => {
    const random = new Random(seed);
    const edges = header.tensors.flatMap(({ begin, end }) => [begin, begin + 1, end - 1]);
    const lengths = [0, 1, 7, 8, 9, ...edges, ...Array.from({ length: 100 }, () => random.integer(good.length))];
    for (const length of lengths) {
      const code = await attempt(good.subarray(0, length));
      expect(code).toBe(length === 0 ? 'IO_ERROR' : 'CORRUPT_FILE');
    }
  });

  test('longer files, zeroed blocks, swapped blocks and noise are refused', async () => {
    const random = new Random(seed);
    expect(await attempt(Buffer.concat([good, Buffer.alloc(64)]))).toBe('CORRUPT_FILE');
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(good);
      const [a, b] = [random.integer(good.length - 512), random.integer(good.length - 512)];
      if (i % 3 === 0) bytes.fill(0, a, a + 512);
      else if (i % 3 === 1) good.copy(bytes, a, b, b + 512);
      else for (let at = a; at < a + 512; at++) bytes[at] = random.integer(256);
      const result = await attempt(bytes);
      if (bytes.equals(good)) expect(result).toEqual(expected);
      else expect(result).toBe('CORRUPT_FILE');
    }
  });

  test('verify: false may answer wrongly, but does not crash, also when used for a query', async () => {
    const random = new Random(seed + 1);
    const codes: Record<string, number> = {};
    for (let i = 0; i < 600; i++) {
      const result = await attempt(flipped(random), false);
      const code = typeof result === 'string' ? result : 'loaded';
      codes[code] = (codes[code] ?? 0) + 1;
      expect(code).not.toBe('INTERNAL');
    }
    console.log('flipped bits, not verified', codes);
    expect(codes.loaded).toBeGreaterThan(0);
  });

  test('verify: false on damaged files, in a process of its own', async () => {
    const script = await folder.write(
      'damage.mjs',
      `${importLine('RetrievalModel')}
       import { readFileSync, writeFileSync } from 'node:fs';
       const [, , path, seed] = process.argv;
       const good = readFileSync(path);
       let state = Number(seed) + 1;
       const random = (limit) => { state = (state * 48271) % 2147483647; return state % limit; };
       for (let i = 0; i < 400; i++) {
         const bytes = Buffer.from(good);
         for (let flips = 1 + random(20); flips > 0; flips--) bytes[random(bytes.length)] ^= 1 << random(8);
         writeFileSync(path + '.damaged', bytes);
         try {
           using model = await RetrievalModel.load(path + '.damaged', { verify: false });
           const embedding = new Float32Array(${dims}).fill(1);
           await model.retrieve([{ embedding, filter: 'tag:t3 OR NOT language:en' }, { embedding, exclude: ['item 1'] }]);
         } catch (error) { if (error.name !== 'SilverlodeError') throw error; }
       }
       console.log('survived');`.replace('using model', 'const model'),
    );
    const { code, signal, output, errors } = runScript(script, { args: [path, seed] });
    expect({ code, signal, output, errors }).toEqual({ code: 0, signal: null, output: 'survived\n', errors: '' });
  });
});

describe('a file of other origin gives one clear error', () => {
  test.each([
    ['an empty file', '', 'IO_ERROR'],
    ['text', 'hello, world: this is no model at all', 'CORRUPT_FILE'],
    [
      'weights',
      Buffer.concat([buildSafetensorsHeader([{ name: 'w', dtype: 'F32', shape: [1] }]).header, Buffer.alloc(4)]),
      'CORRUPT_FILE',
    ],
    ['a newer model', newer(), 'UNSUPPORTED_VERSION'],
  ] as const)('%s', async (_, bytes, code) => {
    const file = await folder.write('foreign', bytes);
    await expect(RetrievalModel.load(file)).rejects.toMatchObject({ code, message: expect.stringContaining(file) });
  });

  test('a folder, and no file', async () => {
    await expectCode('IO_ERROR', () => RetrievalModel.load(folder.path('.')));
    await expectCode('IO_ERROR', () => RetrievalModel.load(folder.path('nothing here')));
  });

  function newer(): Buffer {
    return Buffer.concat([buildSafetensorsHeader([], { 'silverlode.format': '2' }).header]);
  }
});

describe('save is atomic', () => {
  const leftovers = async (of: string) => (await readdir(of)).filter((name) => name.endsWith('.tmp'));

  test('into a folder that does not exist writes nothing', async () => {
    await expectCode('IO_ERROR', () => model.save(folder.path('no/such/folder.silverlode')));
    expect(existsSync(folder.path('no'))).toBe(false);
  });

  test('over a folder leaves no temporary file', async () => {
    await mkdir(folder.path('taken/inside'), { recursive: true });
    await expectCode('IO_ERROR', () => model.save(folder.path('taken')));
    expect(await leftovers(folder.path('.'))).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)('in a read-only folder keeps the old file (skipped for root)', async () => {
    await mkdir(folder.path('locked'));
    const file = folder.path('locked/model.silverlode');
    await writeFile(file, 'old');
    await chmod(folder.path('locked'), 0o555);
    await expectCode('IO_ERROR', () => model.save(file));
    await chmod(folder.path('locked'), 0o755);
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await leftovers(folder.path('locked'))).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('on a full disk keeps the old file and leaves nothing else', async () => {
    await mkdir(folder.path('full'));
    const file = folder.path('full/model.silverlode');
    await writeFile(file, 'old');
    const script = await folder.write(
      'full.mjs',
      `${importLine('RetrievalModel')}
       const [, , path, target] = process.argv;
       const model = await RetrievalModel.load(path);
       await model.save(target).then(() => console.log('saved'), (error) => console.log(error.code));`,
    );
    const { output } = runScript(script, { args: [path, file], shell: 'ulimit -f 8 &&' });
    expect(output).toBe('IO_ERROR\n');
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await readdir(folder.path('full'))).toEqual(['model.silverlode']);
  });

  test('several at once to one path leave one whole file', async () => {
    const file = folder.path('contested.silverlode');
    await Promise.all(Array.from({ length: 8 }, () => model.save(file)));
    expect((await readFile(file)).equals(good)).toBe(true);
    expect(await leftovers(folder.path('.'))).toEqual([]);
  });

  test('replaces the file of a loaded model, which goes on answering', async () => {
    const file = folder.path('replaced.silverlode');
    const large = await publish({
      items: {
        ids: Array.from({ length: 40_000 }, (_, i) => i),
        embeddings: { data: Float32Array.from({ length: 40_000 * 64 }, (_, i) => Math.sin(i)), shape: [40_000, 64] },
      },
    });
    await large.save(file);
    await using loaded = await RetrievalModel.load(file);
    const request = { embedding: new Float32Array(64).fill(1) };
    const before = await loaded.retrieve(request);
    await model.save(file);
    expect(await loaded.retrieve(request)).toEqual(before);
    await rm(file);
    expect(await loaded.retrieve(request)).toEqual(before);
    await large.close();
  });
});

describe('the file is safetensors', () => {
  const python = spawnSync('python3', ['-c', 'import safetensors, numpy'], { encoding: 'utf8' });
  const absent = python.error?.message ?? python.stderr.trim().split('\n').at(-1);
  const reason = python.status === 0 ? '' : ` (skipped: ${absent})`;

  test.skipIf(python.status !== 0)(`Python's safetensors opens it${reason}`, () => {
    const script = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as file:
    told = {name: [str(file.get_tensor(name).dtype), list(file.get_tensor(name).shape), int(file.get_tensor(name).view("uint8").sum())] for name in file.keys()}
    print(json.dumps({"metadata": file.metadata()["silverlode.format"], "tensors": told}))`;
    const { stdout, stderr } = spawnSync('python3', ['-c', script, path], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const told = JSON.parse(stdout) as { metadata: string; tensors: Record<string, [string, number[], number]> };
    expect(told.metadata).toBe('1');
    const ours = [...readSafetensors(path)].map(([name, { dtype, shape, data: values }]) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return [name, [dtype, shape, bytes.reduce((sum, byte) => sum + byte, 0)]];
    });
    expect(told.tensors).toEqual(Object.fromEntries(ours));
  });

  test('readSafetensors opens it', () => {
    const state = readSafetensors(path);
    expect([...state.keys()]).toEqual(expect.arrayContaining(['index.rows', 'rerank.layers.0.weight', 'manifest']));
    expect(state.get('rerank.layers.0.weight')?.shape).toEqual([8, 19]);
  });

  test('tensors have the promised dtypes, begin at multiples of 64 and leave no holes', () => {
    let position = header.tensors[0]?.begin as number;
    for (const { name, dtype, begin, end } of header.tensors) {
      expect(['F32', 'F16', 'BF16', 'I8', 'U8', 'I32', 'I64']).toContain(dtype);
      if (!name.startsWith('pad.')) expect(begin % 64).toBe(0);
      expect(begin).toBe(position);
      position = end;
    }
    expect(position).toBe(good.length);
  });
});
