// The package inside a bundle, where its binary is not: one error at once, which says what to tell the bundler.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { entryUrl, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

const folder = await tempFolder();

test.each([
  ['with no package.json above it', 'alone/app.mjs', undefined],
  ['inside a project', 'project/dist/app.mjs', 'project/package.json'],
])('a bundle %s', async (_, name, manifest) => {
  const source = await folder.write(
    'app.js',
    `import { devices } from ${JSON.stringify(entryUrl)};
     try { devices(); } catch (error) { console.log(error.code + ': ' + error.message); }`,
  );
  const file = folder.path(name);
  await mkdir(dirname(file), { recursive: true });
  if (manifest) await writeFile(folder.path(manifest), '{"name": "shop", "version": "1.0.0"}');
  const bundle = await rolldown({
    input: source,
    platform: 'node',
    external: (id) => /^(fastify|@fastify|prom-client|@nats-io|@opentelemetry)/.test(id),
    logLevel: 'silent',
    resolve: { alias: {} },
    plugins: [{ name: 'entry', resolveId: (id) => (id === entryUrl ? new URL(id).pathname : null) }],
  });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  const { code, output, errors } = runScript(file, { timeout: 60_000 });
  expect([code, errors]).toEqual([0, '']);
  expect(output).toMatch(
    /^DEVICE_UNAVAILABLE: silverlode: no native binary for .*app\.mjs: a bundler must leave silverlode out/,
  );
});
