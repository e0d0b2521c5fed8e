import { expect, test } from 'vitest';
import { beside, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

/** Cycles to run: CYCLES=100000 for a longer look. */
const cycles = Number(process.env.CYCLES ?? 10_000);
const MB = 1e6;

const folder = await tempFolder();

interface Report {
  milliseconds: number;
  samples: { rss: number; heapUsed: number; external: number }[];
}

test(`${cycles} publish/load/retrieve/dispose cycles show flat memory`, () => {
  const child = runScript(beside(import.meta.url, 'cycles.mjs'), {
    flags: ['--expose-gc'],
    args: [folder.path('.'), cycles],
  });
  expect(child.errors).toBe('');
  const { milliseconds, samples } = JSON.parse(child.output) as Report;
  const curve = (of: (sample: Report['samples'][0]) => number) => samples.map((s) => (of(s) / MB).toFixed(1)).join(' ');
  console.log(`${milliseconds.toFixed(2)} ms per cycle; resident MB: ${curve(({ rss }) => rss)}`);
  console.log(`JavaScript heap MB: ${curve(({ heapUsed }) => heapUsed)}`);

  // The first half warms up allocators and code; a leak of 1 KB per cycle would show as 5 MB in the second.
  const half = samples.slice(samples.length / 2);
  const [middle, last] = [half[0], half.at(-1)] as [Report['samples'][0], Report['samples'][0]];
  expect(last.heapUsed - middle.heapUsed).toBeLessThan(2 * MB);
  expect(last.external - middle.external).toBeLessThan(2 * MB);
  expect(last.rss - middle.rss).toBeLessThan(20 * MB);
});
