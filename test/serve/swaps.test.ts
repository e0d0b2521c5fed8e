// A soak: queries and swaps together, every answer checked against a mirror, flat memory. SWAPS=5000 for a longer look.
import { expect, test } from 'vitest';
import { beside, runScript } from '../support/child.js';
import { tempFolder } from '../support/temp_folder.js';

const swaps = Number(process.env.SWAPS ?? 200);
const folder = await tempFolder();

interface Report {
  answered: number;
  wrong: number;
  /** Of one version. */
  bytes: number;
  samples: number[];
  states: string[];
}

test(`${swaps} swaps under load: no wrong answer, and the memory of old versions comes back`, () => {
  const script = beside(import.meta.url, 'swaps.mjs');
  const child = runScript(script, { flags: ['--expose-gc'], args: [folder.path('.'), swaps] });
  expect(child.errors).toBe('');
  const { answered, wrong, bytes, samples, states } = JSON.parse(child.output) as Report;
  const megabytes = samples.map((rss) => (rss / 1e6).toFixed(0)).join(' ');
  console.log(`${answered} answers in ${child.milliseconds.toFixed(0)} ms; resident MB: ${megabytes}`);
  expect(wrong).toBe(0);
  expect(answered).toBeGreaterThan(swaps * 20);
  expect(states.filter((state) => state === 'serving')).toHaveLength(1);
  // A version that is not freed would stay with all its bytes.
  const half = samples.slice(samples.length / 2);
  const grown = (half.at(-1) as number) - (half[0] as number);
  expect(grown).toBeLessThan(Math.max(20e6, 5 * bytes));
});
