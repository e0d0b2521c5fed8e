// The services of the comparison answer what they should: with all of the catalogue as candidates, the exact lists.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { isInstalled } from '../../bench/services/environment.js';
import type { Side } from '../../bench/services/sides.js';
import { FILTERS, makeTask, recall } from '../../bench/services/task.js';
import { exactLists } from '../../bench/services/truth.js';
import { tempFolder } from '../support/temp_folder.js';

/** Processes are started from compiled files. */
const BUILT = resolve('build', 'tools', 'bench', 'services');
const isReady = isInstalled() && existsSync(BUILT);
const built = <Module>(name: string): Promise<Module> => import(pathToFileURL(`${BUILT}/${name}.js`).href);

const { path } = await tempFolder();
const size = { items: 1500, dims: 16, candidates: 1500, k: 20, requests: 8 };
const EVERYTHING = 10_000;

test.skipIf(!isReady)(
  'both sides find the exact lists (skipped until `npm run bench -- services --quick` has run)',
  async () => {
    const { startServices, startSilverlode } = await built<typeof import('../../bench/services/sides.js')>('sides');
    const { publishTask } = await built<typeof import('../../bench/services/model.js')>('model');
    const { writeTask } = await built<typeof import('../../bench/services/task_files.js')>('task_files');
    const task = makeTask(size);
    const truth = await exactLists(task);
    const folder = path('task');
    await mkdir(folder);
    await writeTask(task, folder);
    await publishTask(task, path('items.silverlode'));
    const lists = async (side: Side) => {
      onTestFinished(side.stop);
      const found: number[][] = [];
      for (const request of task.requests) {
        const { path: route, type, body } = side.request(request, EVERYTHING);
        const headers = { 'content-type': type, accept: type };
        const response = await fetch(`http://127.0.0.1:${side.port}${route}`, {
          method: 'POST',
          headers,
          body: new Uint8Array(body),
        });
        expect(response.status).toBe(200);
        found.push(side.items(Buffer.from(await response.arrayBuffer())));
      }
      return found;
    };
    expect(await lists(await startServices(folder, size, 1))).toEqual(truth);
    const own = await lists(
      await startSilverlode(
        path('items.silverlode'),
        size,
        FILTERS.map(({ text }) => text),
        1,
      ),
    );
    // Its score in the value formula is that of the int8 search.
    for (const [i, list] of own.entries()) expect(recall(list, truth[i] as number[])).toBeGreaterThanOrEqual(0.9);
  },
);
