// Runs for the tests of the report, with names that would do harm if they were not escaped.
import type { RunOfFile } from '../../bench/report/model.js';
import type { StoredResult } from '../../bench/support/run_file.js';

export const HOSTILE = `</script><img src=x onerror="document.title='hit'"> & 'a' | b`;

const times = { medianMs: 1, samples: 5 };

/** A curve of recall and speed; the middle point is beaten by the last. */
function curve(series: string, speeds: readonly number[]): StoredResult[] {
  return speeds.map((speed, i) => ({
    ...times,
    suite: 'peers',
    name: `${series}, probes ${2 ** i}`,
    figures: { 'recall@100': 0.9 + 0.04 * i, 'req/s': speed },
    plot: { title: 'Recall and speed', series, x: 'recall@100', y: 'req/s' },
  }));
}

export const run: RunOfFile = {
  file: 'bench/results/peers.json',
  machine: { cpu: 'a processor', cores: 2 },
  command: `npm run bench -- peers | ${HOSTILE}`,
  finished: true,
  results: [
    ...curve('silverlode', [9000, 4000, 5000]),
    ...curve(HOSTILE, [3000, 2000, 1000]),
    {
      ...times,
      suite: 'topk',
      name: 'top 100',
      figures: {},
      goal: { id: 'C6', against: HOSTILE, ratio: 10, wanted: 3 },
    },
    {
      ...times,
      suite: 'peers',
      name: 'at 0.95',
      figures: {},
      goal: { id: 'C1', against: 'FAISS', ratio: 1.5, wanted: 3 },
    },
    {
      ...times,
      suite: 'scan',
      name: 'flat',
      figures: {},
      goal: { id: 'C5', against: 'read', ratio: 0.93, wanted: 0.8 },
    },
    ...[1, 10, 100].map((k) => ({
      ...times,
      suite: 'topk',
      name: `top ${k}`,
      medianMs: k / 10,
      figures: { k },
      plot: { title: 'Cost over k', series: 'silverlode', x: 'k', y: 'ms' },
    })),
  ],
};
