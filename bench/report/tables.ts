// The tables of the page.
import type { StoredResult } from '../support/run_file.js';
import type { GoalRow } from './goals.js';
import { type Html, html } from './html.js';
import type { RunOfFile } from './model.js';
import { numberText, ratioText } from './numbers.js';
import type { Plot } from './plot.js';

/** Goals, one measurement a row; on a phone a row becomes a card. */
export function goalsTable(rows: readonly GoalRow[]): Html {
  const lines = rows.map((row) => {
    const share = Math.min(1, row.ratio / row.wanted / 2);
    return html`<tr>
<th scope="row">${row.id}</th>
<td data-label="what">${row.what === '' ? row.name : html`${row.what}<small>${row.name}</small>`}</td>
<td data-label="against">${row.against}</td>
<td data-label="ratio" class="number ratio">${ratioText(row.ratio, row.wanted)}
<i class="gauge ${row.met ? 'met' : 'missed'}" aria-hidden="true"><b style="width: ${(100 * share).toFixed(1)}%"></b></i></td>
<td data-label="wanted" class="number">≥ ${ratioText(row.wanted, row.wanted)}</td>
<td data-label="verdict"><span class="verdict ${row.met ? 'met' : 'missed'}">${row.met ? '✓ met' : '✗ missed'}</span></td>
<td data-label="from" class="source">${row.command === undefined ? html`suite ${row.suite}` : html`<code>${row.command}</code>`}<small>${row.file}</small></td>
</tr>`;
  });
  return html`<table class="goals">
<thead><tr><th scope="col">goal</th><th scope="col">what</th><th scope="col">against</th><th scope="col" class="number">ratio</th><th scope="col" class="number">wanted</th><th scope="col">verdict</th><th scope="col">from</th></tr></thead>
<tbody>${lines}</tbody>
</table>`;
}

/** All points of a plot. */
export function plotTable(plot: Plot): Html {
  const first = [plot.x.name, plot.y.name];
  const points = plot.series.flatMap(({ name, points }) => points.map((point) => ({ series: name, ...point })));
  const rest = namesOf(points.map(({ figures }) => figures)).filter((name) => !first.includes(name));
  const rows = points.map(({ series, name, x, y, figures }) => ({
    texts: [series, name],
    numbers: [x, y, ...rest.map((each) => figures[each])],
  }));
  return sortableTable(plot.title, ['series', 'result'], [...first, ...rest], rows);
}

/** All results of one suite in a file. */
export function resultsTable(suite: string, results: readonly StoredResult[]): Html {
  const times = (result: StoredResult) => ({ 'median ms': result.medianMs, 'p99 ms': result.p99Ms });
  const figures = namesOf(results.map((result) => result.figures));
  const own = ['median ms', 'p99 ms'].filter((name) => !figures.includes(name));
  const timed = own.filter((name) => name === 'median ms' || results.some(({ p99Ms }) => p99Ms !== undefined));
  const rows = results.map((result) => {
    const all: Record<string, number | undefined> = { ...times(result), ...result.figures };
    return { texts: [result.name], numbers: [...[...timed, ...figures].map((name) => all[name]), result.samples] };
  });
  return sortableTable(suite, ['result'], [...timed, ...figures, 'samples'], rows);
}

/** The suites of a file in their order. */
export function suitesOf({ results }: RunOfFile): Map<string, StoredResult[]> {
  const suites = new Map<string, StoredResult[]>();
  for (const result of results) suites.set(result.suite, [...(suites.get(result.suite) ?? []), result]);
  return suites;
}

function namesOf(figures: readonly Readonly<Record<string, number>>[]): string[] {
  return [...new Set(figures.flatMap((each) => Object.keys(each)))];
}

/** A table whose columns are sorted by the buttons in its head; numbers carry their full value. */
function sortableTable(
  label: string,
  textNames: readonly string[],
  numberNames: readonly string[],
  rows: readonly { texts: readonly string[]; numbers: readonly (number | undefined)[] }[],
): Html {
  const head = (name: string, kind: string) =>
    html`<th scope="col" class="${kind}"><button type="button" class="sort">${name}</button></th>`;
  const number = (value: number | undefined) =>
    value === undefined
      ? html`<td class="number">–</td>`
      : html`<td class="number" data-value="${value}">${numberText(value)}</td>`;
  const lines = rows.map(
    ({ texts, numbers }) => html`<tr>${texts.map((text) => html`<td>${text}</td>`)}${numbers.map(number)}</tr>`,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table: ${label}"><table class="sortable">
<thead><tr>${textNames.map((name) => head(name, ''))}${numberNames.map((name) => head(name, 'number'))}</tr></thead>
<tbody>${lines}</tbody>
</table></div>`;
}
