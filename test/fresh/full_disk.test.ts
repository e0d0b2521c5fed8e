// A disk that really is full: a small tmpfs, where mounting one is permitted; reported as skipped elsewhere.
import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, RetrievalModel, type SilverlodeError, type Update } from 'silverlode';
import { afterAll, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { tempFolder } from '../support/temp_folder.js';
import { DIMS, Mirror } from './mirror.js';

const folder = await tempFolder();
const disk = folder.path('disk');
await mkdir(disk);
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]).status === 0;
afterAll(() => {
  if (isMounted) spawnSync('umount', [disk]);
});

test.skipIf(!isMounted)(
  'no space left: updates and saving are refused, nothing is lost, and both go on later',
  async () => {
    const random = new Random(31);
    const mirror = new Mirror({ metric: 'ip', biased: false, features: true });
    const ids = Array.from({ length: 300 }, (_, id) => id);
    mirror.apply(mirror.upsert(random, ids.slice(0, 100)));
    const [path, journal, filler] = [join(disk, 'model.silverlode'), join(disk, 'journal'), join(disk, 'filler')];
    const base = folder.path('base.silverlode');
    {
      await using model = await publish({ items: mirror.published() });
      await model.save(base);
    }
    await copyFile(base, path);
    await using model = await RetrievalModel.load(path, { journal });
    await writeFile(filler, new Uint8Array(2 ** 20)).catch(() => undefined); // until there is no space left
    await rm(filler);
    await writeFile(filler, new Uint8Array(64 * 1024));
    const apply = async (update: Update) => {
      await model.apply(update);
      mirror.apply(update);
    };
    let refusal: SilverlodeError | undefined;
    let applied = 0;
    while (refusal === undefined && applied < 20_000) {
      refusal = await apply(mirror.randomUpdate(random, ids)).then(
        () => undefined,
        (error: SilverlodeError) => error,
      );
      if (refusal === undefined) applied++;
    }
    expect(refusal).toMatchObject({ code: 'IO_ERROR' });
    expect(applied).toBeGreaterThan(10);
    const all = async (each: RetrievalModel) =>
      (await each.retrieve({ embedding: new Float32Array(DIMS), k: 1000 })).ids;
    expect(await all(model)).toEqual(mirror.ids);
    const before = await readFile(path);
    await expect(model.save(path)).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(before.equals(await readFile(path))).toBe(true);

    await rm(filler);
    for (let i = 0; i < 20; i++) await apply(mirror.randomUpdate(random, ids));
    await model.close();
    await using again = await RetrievalModel.load(path, { journal });
    expect(again.freshness().journal).toBe(applied + 20);
    expect(await all(again)).toEqual(mirror.ids);
    console.log(`${applied} updates until the disk was full, 20 more when there was space again`);
  },
);
