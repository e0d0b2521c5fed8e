// Documents and comments point to what exists: files, scripts, numbers of docs/contracts.md.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.join(import.meta.dirname, '..');
const SOURCES = ['native', 'lib', 'test', 'bench', 'examples', 'release', 'docs', '.ci'];
const NOT_OURS = /(^|\/)(node_modules|build|dist)\/|^docs\/api\//;

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const files = [
  ...readdirSync(ROOT).filter((name) => /\.(md|json|txt|gyp|gypi)$/.test(name)),
  ...SOURCES.filter((folder) => existsSync(path.join(ROOT, folder))).flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
      (file) => `${folder}/${file.split(path.sep).join('/')}`,
    ),
  ),
].filter((file) => !NOT_OURS.test(file));
const documents = files.filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md'); // which tells of what is gone
const commented = files.filter((file) => /\.(ts|mjs|cjs|h|cpp|cu|cuh)$/.test(file));

/** Files that readers make. */
const OF_READERS = ['tour.mjs'];

/** Whether a path, or the end of one, names a file of the repository. */
function isKnown(pointer: string): boolean {
  return OF_READERS.includes(pointer) || files.some((file) => file === pointer || file.endsWith(`/${pointer}`));
}

/** What looks like a source file, with or without its folder. */
const POINTER = /(?<![\w./<*{$-])((?:[\w-]+\/)*[a-z][\w-]*\.(?:ts|mjs|h|cpp|cu|cuh))(?![\w.*({])/g;
const commentsOf = (text: string) => text.match(/^\s*(\/\/|\/\*|\*).*$/gm)?.join('\n') ?? '';

describe('pointers to files', () => {
  test.each(documents)('%s', (document) => {
    const code = [...read(document).matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
    const pointers = code.flatMap((text) => [...text.matchAll(POINTER)].map(([pointer]) => pointer));
    expect(pointers.filter((pointer) => !isKnown(pointer))).toEqual([]);
    const links = [...read(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(path.join(ROOT, path.dirname(document), link)))).toEqual([]);
  });

  test('comments', () => {
    const stale = commented.flatMap((file) =>
      [...commentsOf(read(file)).matchAll(POINTER)]
        .map(([pointer]) => pointer)
        .filter((pointer) => !isKnown(pointer))
        .map((pointer) => `${file}: ${pointer}`),
    );
    expect(commented.length).toBeGreaterThan(500);
    expect(stale).toEqual([]);
  });
});

test('scripts that documents name are in package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, script = '']) => script),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

test('numbers of contracts exist', () => {
  const contracts = read('docs/contracts.md');
  const numbers = new Set([...contracts.matchAll(/^## (\d+)\./gm)].map(([, section]) => section as string));
  for (const [, section, body = ''] of contracts.matchAll(/^## (\d+)\.[^\n]*\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm))
    for (const [, item] of body.matchAll(/^(\d+)\. /gm)) numbers.add(`${section}.${item}`);
  const cited = commented.flatMap((file) =>
    [...read(file).matchAll(/\bcontracts (\d+(?:\.\d+)?)(?: (?:and|to) (\d+(?:\.\d+)?))?/g)].flatMap(([, a, b]) =>
      [a, b].filter((number) => number !== undefined).map((number) => ({ file, number })),
    ),
  );
  expect(cited.length).toBeGreaterThan(10);
  expect(cited.filter(({ number }) => !numbers.has(number as string))).toEqual([]);
});
