// node build/tools/release/compare_builds.js A.node B.node [text in names]
// Processor time of the kernels in two builds of the addon, in one run: two processes do the same calls in turn, and the ratio
// of the medians is told per case and SIMD level. Above 1 means that B is faster.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../bench/peers/curves.js';

const ROUNDS = 15;
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The package with another binary: everything else is the same file. */
function packageWith(binary: string, folder: string): string {
  mkdirSync(path.join(folder, 'build/Release'), { recursive: true });
  cpSync(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  for (const part of ['dist', 'build/tools'])
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  cpSync(binary, path.join(folder, 'build/Release/silverlode.node'));
  return folder;
}

async function ask<Answer>(side: ChildProcess, question: object): Promise<Answer> {
  side.send(question);
  const [answer] = await once(side, 'message');
  return answer as Answer;
}

async function compare(binaries: readonly string[], filter: string, work: string): Promise<void> {
  for (const simd of ['avx512vnni', 'avx2', 'neon', 'serial']) {
    const sides = binaries.map((binary, i) => {
      const folder = packageWith(binary, path.join(work, `${simd}-${i}`));
      return fork(path.join(folder, 'build/tools/release/compare_side.js'), [simd]);
    });
    try {
      for (const side of sides) await once(side, 'message'); // ready
      const lists: string[][] = [];
      for (const side of sides) lists.push(await ask(side, { list: filter }));
      if (lists[0]?.length !== lists[1]?.length) console.log(`only one of the builds knows the level ${simd}`);
      else for (const name of lists[0] ?? []) await compareCase(simd, name, sides);
    } finally {
      for (const side of sides) side.kill();
    }
  }
}

async function compareCase(simd: string, name: string, sides: readonly ChildProcess[]): Promise<void> {
  const times = sides.map(() => [] as number[]);
  for (const side of sides) await ask(side, { prepare: name });
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const i of order) times[i]?.push(await ask<number>(sides[i] as ChildProcess, { measure: true }));
  }
  const [a, b] = times.map((each) => median(each)) as [number, number];
  const shown = [a, b].map((ms) => `${ms.toFixed(3).padStart(9)} ms`).join('');
  console.log(`${(a / b).toFixed(2).padStart(6)}x ${shown}  ${simd.padEnd(10)} ${name}`);
}

const [a, b, filter = ''] = process.argv.slice(2);
if (a === undefined || b === undefined) throw new Error('give two .node files');
const work = mkdtempSync(path.join(tmpdir(), 'silverlode-builds-'));
try {
  console.log(' ratio         A           B   level      case (processor time per call)');
  await compare([a, b], filter, work);
} finally {
  rmSync(work, { recursive: true, force: true });
}
