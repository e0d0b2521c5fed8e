// Two runs side by side: which results changed by more than their noise.
import { type Facts, HARMLESS_FACTS } from './machine.js';
import type { StoredResult, StoredRun } from './run_file.js';

/** `unjudged`: too few samples, or none kept, to tell noise from change. */
export type Verdict = 'slower' | 'worse' | 'missing' | 'unjudged' | 'same' | 'faster' | 'new';

/** One result in both runs, or in one of them. */
export interface ComparedResult {
  name: string;
  verdict: Verdict;
  baseMs?: number;
  ms?: number;
  /** Time now over time then. */
  ratio?: number;
  /** Change, as a share, that is taken for noise. */
  noise?: number;
  /** What became worse besides time: `recall@100 0.99 → 0.95`. */
  reasons: readonly string[];
}

export interface Comparison {
  results: readonly ComparedResult[];
  /** Facts about the machine and the build that are not the same: then times say little. */
  differences: readonly string[];
  regressed: boolean;
}

/** A change below this is never told from noise: medians of the same code differ by as much from day to day. */
const LEAST_NOISE = 0.05;
const LEAST_SAMPLES = 3;
/** Recall is counted, not timed: what it loses beyond this is a loss. */
const RECALL_TOLERANCE = 0.002;
const COUNTED_FAULTS = ['violations', 'missing'];

/**
 * Compares by suite and name. Noise is the sum of a floor and the root sum square of both interquartile ranges, as shares of
 * the medians; slower by more than that is a regression, and so is lost recall, a wrong or a missing answer.
 *
 * @param base The run to compare with; what `isAsked` refuses was not measured again and is left out.
 */
export function compareRuns(
  base: StoredRun,
  now: StoredRun,
  isAsked: (result: StoredResult) => boolean = () => true,
): Comparison {
  const byName = (run: StoredRun) =>
    new Map(run.results.filter(isAsked).map((each) => [`${each.suite}: ${each.name}`, each]));
  const [then, today] = [byName(base), byName(now)];
  const results = [...new Set([...then.keys(), ...today.keys()])].map((name) =>
    compareResult(name, then.get(name), today.get(name)),
  );
  return {
    results: results.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict)),
    differences: factDifferences(base.machine, now.machine),
    regressed: results.some(({ verdict }) => verdict === 'slower' || verdict === 'worse'),
  };
}

const ORDER: readonly Verdict[] = ['worse', 'slower', 'missing', 'new', 'unjudged', 'same', 'faster'];

function compareResult(name: string, base?: StoredResult, now?: StoredResult): ComparedResult {
  if (base === undefined) return { name, verdict: 'new', ms: now?.medianMs, reasons: [] };
  if (now === undefined) return { name, verdict: 'missing', baseMs: base.medianMs, reasons: [] };
  const reasons = lossesOf(base.figures, now.figures);
  const times = { name, baseMs: base.medianMs, ms: now.medianMs, reasons };
  const noise = noiseOf(base, now);
  if (noise === undefined) return { ...times, verdict: reasons.length > 0 ? 'worse' : 'unjudged' };
  const ratio = now.medianMs / base.medianMs;
  const byTime: Verdict = ratio > 1 + noise ? 'slower' : 1 / ratio > 1 + noise ? 'faster' : 'same';
  return { ...times, ratio, noise, verdict: reasons.length > 0 ? 'worse' : byTime };
}

function noiseOf(base: StoredResult, now: StoredResult): number | undefined {
  const shares = [base, now].map(({ medianMs, spreadMs, samples }) =>
    spreadMs !== undefined && samples >= LEAST_SAMPLES && medianMs > 0 ? spreadMs / medianMs : undefined,
  );
  const [first, second] = shares;
  return first === undefined || second === undefined ? undefined : LEAST_NOISE + Math.hypot(first, second);
}

function lossesOf(base: StoredResult['figures'], now: StoredResult['figures']): string[] {
  return Object.entries(base).flatMap(([figure, before]) => {
    const after = now[figure];
    if (after === undefined) return [];
    const isLoss = figure.startsWith('recall')
      ? before - after > RECALL_TOLERANCE
      : COUNTED_FAULTS.includes(figure) && after > before;
    return isLoss ? [`${figure} ${round(before)} → ${round(after)}`] : [];
  });
}

function factDifferences(base: Facts, now: Facts): string[] {
  const facts = [...new Set([...Object.keys(base), ...Object.keys(now)])].filter(
    (fact) => !HARMLESS_FACTS.includes(fact) && base[fact] !== now[fact],
  );
  return facts.map((fact) => `${fact}: ${base[fact] ?? 'not told'} → ${now[fact] ?? 'not told'}`);
}

const round = (value: number) => Number(value.toPrecision(4));

/** The comparison as a table for a terminal: what became worse first. */
export function comparisonTable({ results, differences, regressed }: Comparison): string {
  const cell = (value: number | undefined, digits: number) => (value === undefined ? '-' : value.toFixed(digits));
  const row = (...cells: readonly string[]) => {
    const [verdict = '', ratio = '', base = '', now = '', noise = '', name = ''] = cells;
    return `${verdict.padEnd(9)}${ratio.padStart(7)}${base.padStart(12)}${now.padStart(12)}${noise.padStart(9)}  ${name}`;
  };
  const lines = results.map(({ verdict, ratio, baseMs, ms, noise, name, reasons }) =>
    row(
      verdict,
      cell(ratio, 2),
      cell(baseMs, 3),
      cell(ms, 3),
      noise === undefined ? '-' : `±${(100 * noise).toFixed(0)} %`,
      [name, ...reasons].join('; '),
    ),
  );
  const counts = ORDER.map((verdict) => [verdict, results.filter((each) => each.verdict === verdict).length] as const)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`);
  return [
    ...(differences.length > 0
      ? [
          '!!! These runs were not made alike; their times say little beside each other:',
          ...differences.map((each) => `!!!   ${each}`),
        ]
      : []),
    row('', 'ratio', 'before ms', 'now ms', 'noise', ''),
    ...lines,
    `${counts.join(', ') || 'nothing to compare'}${regressed ? ': regressed' : ''}`,
  ].join('\n');
}
