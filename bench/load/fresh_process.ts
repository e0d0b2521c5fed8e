// node fresh_process.js FILE VERIFY DIMS: loads a model, answers once, and tells on stdout what that took and holds.
import { readFileSync } from 'node:fs';
import { RetrievalModel } from 'silverlode';

/** What a fresh process tells. */
export interface Loaded {
  /** From the start of the process until the package is there. */
  startMs: number;
  loadMs: number;
  /** Of the first request alone. */
  firstMs: number;
  /** What loading and the first answer added to memory: all of it, and what is not shared with the file. */
  residentBytes: number;
  ownBytes: number;
}

/** Resident bytes, and those of them that no file backs (where the system tells). */
function memory(): { resident: number; own: number } {
  const { rss } = process.memoryUsage();
  try {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return { resident: rss, own: 1024 * Number(kilobytes) };
  } catch {
    return { resident: rss, own: Number.NaN };
  }
}

const [path = '', verify = '', dims = ''] = process.argv.slice(2);
const startMs = performance.now();
const before = memory();
const model = await RetrievalModel.load(path, { verify: verify === 'true' });
const loadMs = performance.now() - startMs;
const embedding = new Float32Array(Number(dims)).map((_, dim) => Math.sin(dim));
const { ids } = await model.retrieve({ embedding, k: 100 });
const firstMs = performance.now() - startMs - loadMs;
if (ids.length !== 100) throw new Error(`the first answer has ${ids.length} items`);
const after = memory();
const loaded: Loaded = {
  ...{ startMs, loadMs, firstMs },
  residentBytes: after.resident - before.resident,
  ownBytes: after.own - before.own,
};
console.log(JSON.stringify(loaded));
await model.close();
