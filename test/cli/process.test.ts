// The built executable as a process: exit codes, pipes, signals.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { Random } from '../../lib/data/random.js';
import { writeNpy } from '../../lib/io/npy.js';
import { tempFolder } from '../support/temp_folder.js';
import { writeFiles } from './fixture.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folder = await tempFolder();
const { path } = folder;

function start(...args: string[]): { child: ChildProcess; written: { stdout: string; stderr: string } } {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  return { child, written };
}

async function run(...args: string[]) {
  const { child, written } = start(...args);
  const [code] = await once(child, 'close');
  return { code, ...written };
}

beforeAll(() => writeFiles(folder));

test('publish and query print one JSON document and nothing else', async () => {
  const model = path('items.silverlode');
  const sources = ['--embeddings', path('items.npy'), '--attributes', path('items.csv'), '--id-field', 'sku'];
  const published = await run('publish', ...sources, '--clusters', '8', '--out', model, '--json');
  expect(published).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(published.stdout)).toMatchObject({ path: model, clusters: 8 });
  const answered = await run('query', model, '--embedding', path('users.npy'), '--json');
  expect(answered).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(answered.stdout).ids).toHaveLength(10);
});

test('exit codes tell failure from wrong usage', async () => {
  expect(await run('inspect', path('none'))).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^error: .*\(IO_ERROR\)\n$/),
  });
  expect(await run('inspect')).toMatchObject({ code: 2, stdout: '' });
});

test('a reader that leaves early is no failure', async () => {
  const { child, written } = start('publish', '--help');
  child.stdout?.destroy();
  const [code] = await once(child, 'close');
  expect({ code, stderr: written.stderr }).toEqual({ code: 0, stderr: '' });
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s during publish leaves nothing behind', async (signal) => {
  const [items, dims] = [60_000, 64];
  const random = new Random(1);
  const data = Float32Array.from({ length: items * dims }, () => random.uniform());
  await writeNpy(path('many.npy'), { dtype: 'float32', shape: [items, dims], data });
  await folder.write('many.jsonl', '{"shelf":{}}\n'.repeat(items));
  const out = path('interrupted.silverlode');
  const sources = ['--embeddings', path('many.npy'), '--attributes', path('many.jsonl')];
  const { child, written } = start('publish', ...sources, '--clusters', '2048', '--out', out, '--json');
  // The note about nested columns comes right before the clustering, which takes seconds.
  child.stderr?.once('data', () => child.kill(signal));
  const [code] = await once(child, 'close');
  expect(written.stderr).toMatch(/^note: .*\nerror: .*aborted.*\(ABORTED\)\n$/);
  expect(JSON.parse(written.stdout)).toMatchObject({ error: { code: 'ABORTED' } });
  expect(code).toBe(1);
  expect((await readdir(dirname(out))).filter((name) => name.startsWith('interrupted'))).toEqual([]);
});
