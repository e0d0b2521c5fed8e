// The script of the page: plots that answer to pointer and keys, series that can be hidden, tables that can be sorted.
import type { Plot } from '../plot.js';
import { InteractivePlot } from './interactive_plot.js';
import { makeSortable } from './sortable.js';

const plots: readonly Plot[] = JSON.parse(document.getElementById('data')?.textContent ?? '[]');
const dark = matchMedia('(prefers-color-scheme: dark)');
const drawn = plots.flatMap((plot) => {
  const figure = document.getElementById(`plot-${plot.id}`);
  return figure === null ? [] : [new InteractivePlot(plot, figure, dark.matches ? 'dark' : 'light')];
});
dark.addEventListener('change', () => {
  for (const plot of drawn) plot.paint(dark.matches ? 'dark' : 'light');
});
for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) makeSortable(table);
