// The goals of the project and what the runs say of them.
import type { RunOfFile } from './model.js';
import { ratioText } from './numbers.js';

/** What a goal is about, in a few words. */
export const GOALS: Readonly<Record<string, string>> = {
  C1: 'nearest neighbours, one request at a time',
  C2: 'nearest neighbours, batches of 64',
  C3: 'filtered nearest neighbours',
  C4: 'filter evaluation',
  C5: 'exact int8 scan, share of the ceiling of the machine',
  C6: 'top-k of 1M scores',
  C7: 'reranker networks',
  C8: 'k-means and publish',
  C9: 'load to first answer',
  C10: 'overhead of one native call from TypeScript',
  C11: 'memory per item',
  services: 'one model against many services',
};

/** One measurement of a goal. */
export interface GoalRow {
  id: string;
  what: string;
  /** The result that was measured. */
  name: string;
  against: string;
  ratio: number;
  wanted: number;
  met: boolean;
  suite: string;
  file: string;
  command?: string;
}

/** All measurements of goals: C1 to C11 and the services in order, then others by name; runs in the order of the files. */
export function goalRows(files: readonly RunOfFile[]): GoalRow[] {
  const rows = files.flatMap(({ file, command, results }) =>
    results.flatMap(({ suite, name, goal }) =>
      goal === undefined
        ? []
        : [{ ...goal, what: GOALS[goal.id] ?? '', name, met: goal.ratio >= goal.wanted, suite, file, command }],
    ),
  );
  const known = Object.keys(GOALS);
  const place = (id: string) => (known.includes(id) ? known.indexOf(id) : known.length);
  return rows.sort((a, b) => place(a.id) - place(b.id) || a.id.localeCompare(b.id, 'en', { numeric: true }));
}

/** Goals that no run says anything of. */
export function unmeasured(rows: readonly GoalRow[]): string[] {
  return Object.keys(GOALS).filter((id) => !rows.some((row) => row.id === id));
}

/** The table of goals, to be pasted into a README. */
export function goalsMarkdown(rows: readonly GoalRow[]): string {
  const lines = rows.map((row) => {
    const source = row.command === undefined ? row.file : `${row.command} → ${row.file}`;
    const what = row.what === '' ? row.name : `${row.what}: ${row.name}`;
    const verdict = row.met ? 'met' : '**missed**';
    const cells = [row.id, what, row.against].map(markdownText);
    return [
      ...cells,
      ratioText(row.ratio, row.wanted),
      ratioText(row.wanted, row.wanted),
      verdict,
      markdownText(source),
    ];
  });
  const head = ['goal', 'what', 'against', 'ratio', 'wanted', 'met', 'from'];
  const rule = head.map((name) => (name === 'ratio' || name === 'wanted' ? '---:' : '---'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** Text that stays text in a cell of a Markdown table. */
function markdownText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_[\]|]/g, '\\$&')
    .replace(/\s+/g, ' ');
}
