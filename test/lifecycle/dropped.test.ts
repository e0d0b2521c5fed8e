// Models that nobody closed: what they held is given back when they are collected, without a word.
import { publish } from 'silverlode';
import { expect, test } from 'vitest';
import { importLine, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

test('a model with a journal that is dropped gives its file back', async () => {
  const path = folder.path('dropped.silverlode');
  await using model = await publish({ items: { ids: [1], embeddings: { data: new Float32Array(4), shape: [1, 4] } } });
  await model.save(path);
  // Newer runtimes end the process, and older ones warn, when a FileHandle is collected.
  const script = await folder.write(
    'drop.mjs',
    `${importLine('RetrievalModel')}
     import { readdirSync } from 'node:fs';
     const [path, journal] = process.argv.slice(2);
     const files = () => readdirSync('/proc/self/fd').length;
     await (await RetrievalModel.load(path, { journal: journal + 'first' })).close();
     const before = files();
     const models = [];
     for (let i = 0; i < 20; i++) models.push(await RetrievalModel.load(path, { journal: journal + i, threads: 1 }));
     const open = files();
     models.length = 0;
     for (let i = 0; i < 200 && files() > before; i++) {
       gc();
       await new Promise((resolve) => setTimeout(resolve, 20));
     }
     console.log(JSON.stringify({ held: open - before >= 20, left: files() - before }));`,
  );
  const done = runScript(script, { flags: ['--expose-gc'], args: [path, folder.path('journal-')] });
  expect(done).toMatchObject({ code: 0, errors: '' });
  expect(JSON.parse(done.output)).toEqual({ held: true, left: 0 });
});
