// Files of results to what the report shows: goals, plots and runs, without any drawing.
import { figureOf, type StoredResult, type StoredRun } from '../support/run_file.js';
import { axisOf } from './axes.js';
import { type GoalRow, goalRows, unmeasured } from './goals.js';
import type { Plot, PlotKind, Point, Series } from './plot.js';
import { assignStyles, bySeries, isOurs, type Style } from './styles.js';

/** A run and the file it came from, with forward slashes. */
export type RunOfFile = StoredRun & { file: string };

export interface Report {
  files: readonly RunOfFile[];
  goals: readonly GoalRow[];
  /** Goals without a measurement. */
  unmeasured: readonly string[];
  plots: readonly Plot[];
}

interface Placed {
  file: string;
  result: StoredResult & { plot: NonNullable<StoredResult['plot']> };
}

/** Everything that the report shows. Results of one plot must agree on its figures. */
export function reportOf(files: readonly RunOfFile[]): Report {
  const titles = new Map<string, Placed[]>();
  for (const { file, results } of files)
    for (const result of results) {
      if (result.plot === undefined) continue;
      const placed = titles.get(result.plot.title) ?? [];
      titles.set(result.plot.title, [...placed, { file, result: { ...result, plot: result.plot } }]);
    }
  const names = [...titles.values()].map((placed) => placed.map(({ result }) => result.plot.series));
  const styles = assignStyles(names);
  const ids = new Set<string>();
  const plots = [...titles].map(([title, placed]) => plotOf(title, placed, styles, ids));
  const kinds: readonly PlotKind[] = ['recall', 'latency', 'growth'];
  plots.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  const goals = goalRows(files);
  return { files, goals, unmeasured: unmeasured(goals), plots };
}

function plotOf(title: string, placed: readonly Placed[], styles: ReadonlyMap<string, Style>, ids: Set<string>): Plot {
  const first = placed[0] as Placed;
  const { x, y } = first.result.plot;
  for (const { file, result } of placed)
    if (result.plot.x !== x || result.plot.y !== y)
      throw new Error(
        `${file}: plot "${title}" is of ${result.plot.x} and ${result.plot.y} in "${result.name}", ` +
          `but of ${x} and ${y} in "${first.result.name}" of ${first.file}`,
      );
  const kind = /^recall/i.test(x) ? 'recall' : /\/s$/.test(x) ? 'latency' : 'growth';
  const xAxis = axisOf(
    x,
    placed.map(({ result }) => figureOf(result, x) as number),
  );
  const yAxis = axisOf(
    y,
    placed.map(({ result }) => figureOf(result, y) as number),
  );
  const series = [...new Set(placed.map(({ result }) => result.plot.series))].sort(bySeries).flatMap((name) => {
    const own = placed.filter(({ result }) => result.plot.series === name);
    const runs = [...new Set(own.map(({ file }) => file))];
    const labels = runLabels(runs);
    return runs.map((file, run): Series => {
      const results = own.filter((each) => each.file === file).map(({ result }) => result);
      const points = results.map((result) => pointOf(result, x, y));
      return {
        name: runs.length > 1 ? `${name} (${labels[run]})` : name,
        style: styles.get(name) as Style,
        ours: isOurs(name),
        dashed: run > 0,
        points,
        line: lineOf(kind, points, yAxis.lowerIsBetter),
      };
    });
  });
  return {
    id: uniqueId(title, ids),
    title,
    kind,
    x: xAxis,
    y: yAxis,
    series,
    files: [...new Set(placed.map(({ file }) => file))],
  };
}

/** Names of files without folders, or with them where two would be the same. */
function runLabels(files: readonly string[]): string[] {
  const paths = files.map((file) => file.replace(/\.json$/, ''));
  const names = paths.map((file) => file.replace(/^.*\//, ''));
  return new Set(names).size === files.length ? names : paths;
}

function pointOf(result: StoredResult, x: string, y: string): Point {
  const { name, medianMs, p99Ms, figures } = result;
  const p99: Record<string, number> = p99Ms === undefined ? {} : { 'p99 ms': p99Ms };
  return {
    x: figureOf(result, x) as number,
    y: figureOf(result, y) as number,
    name,
    figures: { 'median ms': medianMs, ...p99, ...figures },
  };
}

function lineOf(kind: PlotKind, points: readonly Point[], lowerIsBetter: boolean): number[] {
  if (kind === 'recall') return paretoLine(points, lowerIsBetter);
  const indices = points.map((_, i) => i);
  return kind === 'latency' ? indices : indices.sort((a, b) => (points[a] as Point).x - (points[b] as Point).x);
}

/**
 * Indices of the points that no other point beats: none has at least its x and a better y, nor a greater x and as good
 * a y. By growing x; of equal points the first.
 */
export function paretoLine(points: readonly { x: number; y: number }[], lowerIsBetter: boolean): number[] {
  const worth = (i: number) => (points[i]?.y as number) * (lowerIsBetter ? -1 : 1);
  const x = (i: number) => points[i]?.x as number;
  const falling = points.map((_, i) => i).sort((a, b) => x(b) - x(a) || worth(b) - worth(a) || a - b);
  const line: number[] = [];
  let best = Number.NEGATIVE_INFINITY;
  for (const i of falling) {
    if (worth(i) <= best) continue;
    best = worth(i);
    line.push(i);
  }
  return line.reverse();
}

/** A title as the name of a file; numbered when taken. */
function uniqueId(title: string, taken: Set<string>): string {
  const words = title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const stem = words.slice(0, 80).replace(/^-+|-+$/g, '') || 'plot';
  let id = stem;
  for (let number = 2; taken.has(id); number++) id = `${stem}-${number}`;
  taken.add(id);
  return id;
}
