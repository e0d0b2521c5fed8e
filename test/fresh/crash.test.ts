// kill -9 at random moments of updates, saving and compaction: nothing that was acknowledged is lost, nothing is doubled.
import { spawn } from 'node:child_process';
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { serialize } from 'node:v8';
import { publish, RetrievalModel, type Update } from 'silverlode';
import { describe, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { beside, entryUrl, runScript } from '../support/child.js';
import { expectCode } from '../support/ops.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, Mirror } from './mirror.js';
import { expectMirrored, randomQuery, toRequest } from './queries.js';

const folder = await tempFolder();
const options = { metric: 'ip', biased: false, features: true } as const;
const ids = Array.from({ length: 500 }, (_, id) => id);
const FIELDS = new Set(['language', 'tags', 'flag', 'year']);
const SCRIPT = beside(import.meta.url, 'crash.mjs');
const seed = Date.now() % 1_000_000;
const ROUNDS = 15;

interface Killed {
  /** Updates that the process said were done. */
  acknowledged: number;
  ended: boolean;
  errors: string;
}

/** Runs the script and kills it some time after it began to update. */
function killAfter(args: readonly string[], milliseconds: number): Promise<Killed> {
  const child = spawn(process.execPath, [SCRIPT, entryUrl, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), milliseconds);
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return new Promise((resolve) => {
    child.on('close', () => {
      const counts = output.split('\n').slice(0, -1).map(Number).filter(Number.isFinite);
      resolve({ acknowledged: counts.at(-1) ?? 0, ended: output.endsWith('end\n'), errors });
    });
  });
}

async function prepare(random: Random, count: number) {
  const mirror = new Mirror(options);
  const first = mirror.upsert(random, ids.slice(0, 200));
  mirror.apply(first);
  const path = folder.path(`model-${count}.silverlode`);
  const updates: Update[] = [];
  await using model = await publish({ items: mirror.published() });
  await model.save(path);
  for (let i = 0; i < count; i++) {
    updates.push(mirror.randomUpdate(random, ids));
    mirror.apply(updates[i] as Update);
  }
  const file = folder.path(`updates-${count}`);
  await writeFile(file, serialize(updates));
  const replayed = new Mirror(options);
  replayed.apply(first);
  return { path, updates, file, mirror: replayed };
}

describe(`faults (seed ${seed})`, () => {
  test(`${ROUNDS} kills`, async () => {
    const random = new Random(seed);
    const { path, updates, file, mirror } = await prepare(random, 20_000);
    const journal = folder.path('journal');
    let applied = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const killed = await killAfter([path, journal, file, String(seed + round)], random.integer(400));
      expect(killed.errors).toBe('');
      await using model = await RetrievalModel.load(path, { journal });
      const count = model.freshness().journal as number;
      expect(count).toBeGreaterThanOrEqual(Math.max(applied, killed.acknowledged));
      expect(count).toBeLessThanOrEqual(updates.length);
      for (const update of updates.slice(applied, count)) mirror.apply(update);
      applied = count;
      // All items have the same score: they come in publish order.
      expect((await model.retrieve({ embedding: new Float32Array(DIMS), k: 1000 })).ids).toEqual(mirror.ids);
      const query = randomQuery(random, ids, FIELDS);
      expectMirrored(await model.retrieve(toRequest(query)), mirror, query);
      if (killed.ended) break;
    }
    console.log(`seed ${seed}: ${ROUNDS} kills, ${applied} updates applied, none lost or doubled`);
    expect(applied).toBeGreaterThan(50);
  });

  test('a full disk refuses updates and saving, and takes both again later', async () => {
    const random = new Random(seed + 1);
    const { path, updates, file, mirror } = await prepare(random, 2000);
    const journal = folder.path('full-journal');
    const original = folder.path('full-original.silverlode');
    await copyFile(path, original);
    // The shell's limit on the size of files stands for a full disk: writing fails in the middle of a record.
    const script = await folder.write(
      'full.mjs',
      `import { readFile } from 'node:fs/promises';
       import { deserialize } from 'node:v8';
       const [entry, path, journal, file] = process.argv.slice(2);
       const { RetrievalModel } = await import(entry);
       process.on('SIGXFSZ', () => {});
       const model = await RetrievalModel.load(path, { journal });
       let applied = 0, refused = 0;
       const codes = new Set();
       for (const update of deserialize(await readFile(file))) {
         try { await model.apply(update); if (refused === 0) applied++; } catch (error) { refused++; codes.add(error.code); break; }
       }
       const save = await model.save(path).catch((error) => error.code);
       const { ids } = await model.retrieve({ embedding: new Float32Array(${DIMS}), k: 1000 });
       console.log(JSON.stringify({ applied, refused, codes: [...codes], save, ids, journal: model.freshness().journal }));
       await model.close();`,
    );
    const finished = runScript(script, { args: [entryUrl, path, journal, file], shell: 'ulimit -f 40 &&' });
    expect(finished.errors).toBe('');
    const told = JSON.parse(finished.output);
    expect(told).toMatchObject({ refused: 1, codes: ['IO_ERROR'], save: 'IO_ERROR' });
    expect(told.applied).toBeGreaterThan(0);
    expect(told.journal).toBe(told.applied);
    for (const update of updates.slice(0, told.applied)) mirror.apply(update);
    expect(told.ids).toEqual(mirror.ids);
    expect((await stat(path)).size).toBe((await stat(original)).size);
    await using model = await RetrievalModel.load(path, { journal });
    expect(model.freshness().journal).toBe(told.applied);
    for (const update of updates.slice(told.applied, told.applied + 50)) {
      mirror.apply(update);
      await model.apply(update);
    }
    await model.save(path);
    expect((await model.retrieve({ embedding: new Float32Array(DIMS), k: 1000 })).ids).toEqual(mirror.ids);
    await expectCode('IO_ERROR', () => model.save(folder.path('no/such/folder')));
  });
});
