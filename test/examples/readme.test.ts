// The tour of the README runs as a reader pastes it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { runScript } from '../support/child.js';

// Below the repository, where `silverlode` is the built package.
const folder = fileURLToPath(new URL('../../build/readme', import.meta.url));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the tour runs as pasted', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, code] = /\n## Tour\n[\s\S]*?```js\n([\s\S]*?)```/.exec(readme) ?? [];
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/tour.mjs`, code as string);
  const { code: exit, errors, output } = runScript(`${folder}/tour.mjs`, { shell: `cd '${folder}' &&` });
  expect({ exit, errors }).toEqual({ exit: 0, errors: '' });
  expect(output).toMatch(/\[ 'book \d+', 'book \d+', 'book \d+' \]/);
});

test('installing stands first, before anything that takes a checkout', () => {
  const headings = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').match(/^## .*$/gm);
  expect(headings?.slice(0, 2)).toEqual(['## Install', '## Tour']);
});
