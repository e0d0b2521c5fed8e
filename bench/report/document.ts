// The page: everything in one file, tables ready as HTML, plots drawn by the script from the data beside it.
import { directionOf, GROUND } from './chart.js';
import { Html, html, scriptJson } from './html.js';
import type { Report, RunOfFile } from './model.js';
import type { Plot, Series } from './plot.js';
import { COLOURS, SHAPES, type Theme } from './styles.js';
import { goalsTable, plotTable, resultsTable, suitesOf } from './tables.js';

/** The document; `script` and `style` are inlined and nothing may be fetched. */
export function reportDocument(report: Report, { script, style }: { script: string; style: string }): string {
  const { goals, plots, files } = report;
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>Silverlode benchmarks</title>
<link rel="icon" href="data:,">
<style>${new Html(colourRules() + style)}</style>
</head>
<body>
<header>
<h1>Silverlode <span>benchmarks</span></h1>
<nav aria-label="Sections">
<a href="#goals">Goals</a> <a href="#plots">Plots</a> <a href="#runs">Runs</a>
</nav>
</header>
<main>
<section id="goals" aria-labelledby="goals-title">
<h2 id="goals-title">Goals</h2>
${goalsSummary(report)}
${goals.length === 0 ? '' : html`<div class="card">${goalsTable(goals)}</div>`}
</section>
<section id="plots" aria-labelledby="plots-title">
<h2 id="plots-title">Plots</h2>
${plots.length === 0 ? html`<p class="note">No result of these files has a place in a plot.</p>` : plotsList(plots)}
${plots.map(figure)}
</section>
<section id="runs" aria-labelledby="runs-title">
<h2 id="runs-title">Runs</h2>
<p class="note">Machines may be shared and differ: compare sides of one run.</p>
${files.map(run)}
</section>
</main>
<script type="application/json" id="data">${scriptJson(plots)}</script>
<script>${new Html(script.replaceAll('</script', '<\\/script'))}</script>
</body>
</html>`.text
  }\n`;
}

/** Colours of the ground and of series as custom properties, light and dark. */
function colourRules(): string {
  const pair = (of: (theme: Theme) => string | undefined) => `light-dark(${of('light')}, ${of('dark')})`;
  const ground = (['ink', 'soft', 'line', 'card'] as const).map(
    (key) => `--${key}: ${pair((theme) => GROUND[theme][key])};`,
  );
  const series = COLOURS.light.map((_, i) => `--series-${i}: ${pair((theme) => COLOURS[theme][i])};`);
  return `:root { color-scheme: light dark; ${[...ground, ...series].join(' ')} }\n`;
}

function goalsSummary({ goals, unmeasured }: Report): Html {
  const met = goals.filter((goal) => goal.met).length;
  const missing = unmeasured.length === 0 ? '' : `Not measured in these files: ${unmeasured.join(', ')}.`;
  if (goals.length === 0) return html`<p class="note">No result of these files settles a goal.</p>`;
  return html`<p class="summary"><strong>${met} of ${goals.length}</strong> measurements reach what is wanted.
<span class="note">Both sides measured in one run, alternating. ${missing}</span></p>`;
}

function plotsList(plots: readonly Plot[]): Html {
  return html`<ul class="contents">${plots.map(({ id, title }) => html`<li><a href="#plot-${id}">${title}</a></li>`)}</ul>`;
}

/** Its ids start with what no other id of the page starts with, whatever the title is. */
function figure(plot: Plot): Html {
  const { id, title, series, files } = plot;
  const pareto = plot.kind === 'recall' ? ' Lines join the points that no other of their series beats.' : '';
  return html`<figure class="card plot" id="plot-${id}" aria-labelledby="title-${id}">
<figcaption><h3 id="title-${id}">${title}</h3>
<p class="note hint">${directionOf(plot)}${pareto}</p></figcaption>
<div class="chart" tabindex="0" role="application" aria-roledescription="plot" aria-label="${title}: ${plot.y.label} over ${plot.x.label}. Arrow keys go from point to point; the table below has all of them."></div>
<div class="legend" role="group" aria-label="Series of ${title}">${series.map(legendEntry)}</div>
<p class="spoken" aria-live="polite"></p>
<details><summary>Table of ${series.reduce((sum, { points }) => sum + points.length, 0)} points</summary>
${plotTable(plot)}</details>
<p class="note files">${files.join(', ')}</p>
</figure>`;
}

function legendEntry({ name, style, ours, dashed }: Series): Html {
  return html`<button type="button" aria-pressed="true" data-series="${name}" class="${ours ? 'ours' : ''}">
<svg viewBox="-8 -1 26 12" width="26" height="12" aria-hidden="true" style="color: var(--series-${style.colour})"><path d="M-8 5H18" stroke="currentColor" stroke-width="${ours ? 2.6 : 1.6}" ${dashed ? new Html('stroke-dasharray="4 3"') : ''}/><path d="${SHAPES[style.shape] as string}" fill="currentColor"/></svg>
<span>${name}</span></button>`;
}

function run(bench: RunOfFile): Html {
  const facts = Object.entries(bench.machine).map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${String(value)}</dd></div>`,
  );
  const command = bench.command === undefined ? '' : html`<p class="command"><code>${bench.command}</code></p>`;
  const stopped =
    bench.finished === false
      ? html`<p class="missed">This run was stopped before its end, or some of it failed.</p>`
      : '';
  const notes = Object.entries(bench.notes ?? {}).map(
    ([suite, note]) => html`<p class="remark"><b>${suite}</b> ${note}</p>`,
  );
  const tables = [...suitesOf(bench)].map(
    ([suite, results]) => html`<details><summary>${suite}: ${results.length} results</summary>
${resultsTable(`${suite} of ${bench.file}`, results)}</details>`,
  );
  return html`<article class="card run"><h3>${bench.file}</h3>${command}${stopped}<dl>${facts}</dl>${notes}${tables}</article>`;
}
