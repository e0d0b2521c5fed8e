// A promise that nobody looks at: its rejection is told as any other, by ending the process.
import { publish } from 'silverlode';
import { expect, test } from 'vitest';
import { importLine, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

test('rejections that nobody handles end the process; handled ones, and waiting for them, do not', async () => {
  const path = folder.path('unhandled.silverlode');
  await using model = await publish({ items: { ids: [1], embeddings: { data: new Float32Array(4), shape: [1, 4] } } });
  await model.save(path);
  const script = await folder.write(
    'unhandled.mjs',
    `${importLine('RetrievalModel')}
     const { ModelHub } = await import(new URL('./serve/index.js', PACKAGE).href);
     const [path, what] = process.argv.slice(2);
     const model = await RetrievalModel.load(path, { threads: 1 });
     const hub = new ModelHub();
     const bad = {
       retrieve: () => model.retrieve({ embedding: new Float32Array(4), filter: '(' }),
       apply: () => model.delete(['of another type']),
       save: () => model.save('/no/such/folder/model'),
       hub: () => hub.load('name', '/no/such/model'),
     };
     if (what === 'handled') {
       for (const each of Object.values(bad)) await each().then(() => console.log('no error'), () => undefined);
       bad.save().catch(() => undefined);
     } else bad[what]();
     setTimeout(async () => {
       await model.close();
       await hub.close();
       console.log('still here');
     }, 300);`,
  );
  for (const what of ['retrieve', 'apply', 'save', 'hub']) {
    const { code, output, errors } = runScript(script, { args: [path, what] });
    expect([what, code, output]).toEqual([what, 1, '']);
    expect(errors).toContain('SilverlodeError');
  }
  expect(runScript(script, { args: [path, 'handled'] })).toMatchObject({
    code: 0,
    output: 'still here\n',
    errors: '',
  });
});
