import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { type ECharts, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { chartOption, colourOf, type Datum } from '../chart.js';
import { numberText } from '../numbers.js';
import type { Plot, Point, Series } from '../plot.js';
import type { Theme } from '../styles.js';

use([LineChart, ScatterChart, GridComponent, TooltipComponent, SVGRenderer]);

/** How far from a point the pointer may be, in pixels. */
const REACH = 48;

/** A point as it is drawn. */
interface Mark {
  series: Series;
  point: Point;
  seriesIndex: number;
  dataIndex: number;
  x: number;
  y: number;
}

/** A plot in its figure: the chart, the legend of buttons and the line that screen readers speak. */
export class InteractivePlot {
  readonly #chart: ECharts;
  readonly #spoken: HTMLElement;
  readonly #hidden = new Set<string>();
  #theme: Theme;
  #marks: Mark[] = [];
  #current: Mark | undefined;

  constructor(
    private readonly plot: Plot,
    figure: HTMLElement,
    theme: Theme,
  ) {
    const box = figure.querySelector('.chart') as HTMLElement;
    this.#spoken = figure.querySelector('.spoken') as HTMLElement;
    this.#theme = theme;
    this.#chart = init(box, undefined, { renderer: 'svg' });
    this.#listen(box);
    for (const button of figure.querySelectorAll<HTMLButtonElement>('.legend button')) this.#connect(button);
    new ResizeObserver(() => {
      this.#chart.resize();
      this.#draw();
    }).observe(box);
    this.#draw();
  }

  paint(theme: Theme): void {
    this.#theme = theme;
    this.#draw();
  }

  #draw(): void {
    const option = chartOption(this.plot, {
      theme: this.#theme,
      width: this.#chart.getWidth(),
      hidden: this.#hidden,
    });
    const tooltip = {
      trigger: 'item',
      triggerOn: 'none',
      confine: true,
      className: 'tooltip',
      transitionDuration: 0,
      padding: 0,
      borderWidth: 0,
      backgroundColor: 'transparent',
      formatter: () => (this.#current === undefined ? '' : this.#describe(this.#current)),
    };
    this.#current = undefined;
    this.#chart.setOption({ ...option, tooltip }, { notMerge: true });
    this.#marks = this.#placeMarks(option.series as { name: string; data: Datum[] }[]);
  }

  #placeMarks(drawn: readonly { name: string; data: readonly Datum[] }[]): Mark[] {
    return drawn.flatMap(({ name, data }, seriesIndex) => {
      const series = this.plot.series.find((each) => each.name === name) as Series;
      return data.map(({ value, point }, dataIndex) => {
        const [x, y] = this.#chart.convertToPixel({ seriesIndex }, value) as [number, number];
        return { series, point: series.points[point] as Point, seriesIndex, dataIndex, x, y };
      });
    });
  }

  #listen(box: HTMLElement): void {
    const surface = this.#chart.getZr();
    const nearest = ({ offsetX, offsetY }: { offsetX: number; offsetY: number }) => {
      const distance = ({ x, y }: Mark) => Math.hypot(x - offsetX, y - offsetY);
      const best = this.#marks.reduce<Mark | undefined>(
        (found, mark) => (found === undefined || distance(mark) < distance(found) ? mark : found),
        undefined,
      );
      this.#show(best !== undefined && distance(best) <= REACH ? best : undefined);
    };
    surface.on('mousemove', nearest);
    surface.on('click', nearest);
    surface.on('globalout', () => this.#show(undefined));
    box.addEventListener('blur', () => this.#show(undefined));
    box.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#show(undefined);
      else if (!this.#step(event.key)) return;
      event.preventDefault();
    });
  }

  /** Left and right: along the series; up and down: the same place of the next series. */
  #step(key: string): boolean {
    const [along, across] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [];
    if (along === undefined || across === undefined) return false;
    const shown = this.plot.series.filter(({ name }) => !this.#hidden.has(name));
    const from = this.#current;
    if (from === undefined || shown.length === 0) {
      this.#show(this.#marks[0], true);
      return true;
    }
    const series = shown.at((shown.indexOf(from.series) + across) % shown.length) as Series;
    const marks = this.#marks.filter((mark) => mark.series === series).sort((a, b) => a.x - b.x);
    const near = (a: Mark, b: Mark) => (Math.abs(b.x - from.x) < Math.abs(a.x - from.x) ? b : a);
    const at = series === from.series ? marks.indexOf(from) + along : marks.indexOf(marks.reduce(near));
    this.#show(marks[Math.max(0, Math.min(marks.length - 1, at))], true);
    return true;
  }

  #show(mark: Mark | undefined, spoken = false): void {
    if (mark === this.#current) return;
    this.#current = mark;
    this.#chart.dispatchAction({ type: 'downplay' });
    if (mark === undefined) {
      this.#chart.dispatchAction({ type: 'hideTip' });
      return;
    }
    const { seriesIndex, dataIndex } = mark;
    this.#chart.dispatchAction({ type: 'highlight', seriesIndex, dataIndex });
    this.#chart.dispatchAction({ type: 'showTip', seriesIndex, dataIndex });
    if (spoken) {
      const { x, y } = this.plot;
      const { point, series } = mark;
      this.#spoken.textContent = `${series.name}: ${x.label} ${numberText(point.x)}, ${y.label} ${numberText(point.y)}`;
    }
  }

  /** The tooltip: names and figures, all of them as text. */
  #describe({ series, point }: Mark): HTMLElement {
    const { x, y } = this.plot;
    const box = element('div', 'tip');
    const title = element('strong', '', series.name);
    title.style.borderColor = colourOf(series, this.#theme);
    const rest = Object.entries(point.figures).filter(([name]) => name !== x.name && name !== y.name);
    const list = element('dl', '');
    for (const [name, value] of [[x.name, point.x], [y.name, point.y], ...rest] as [string, number][])
      list.append(element('dt', '', name), element('dd', '', numberText(value)));
    box.append(title, ...(point.name === series.name ? [] : [element('p', 'tip-name', point.name)]), list);
    return box;
  }

  #connect(button: HTMLButtonElement): void {
    const name = button.dataset.series as string;
    button.addEventListener('click', () => {
      const hidden = !this.#hidden.delete(name);
      if (hidden) this.#hidden.add(name);
      button.setAttribute('aria-pressed', String(!hidden));
      this.#draw();
    });
    const emphasise = (type: 'highlight' | 'downplay') => () => this.#chart.dispatchAction({ type, seriesName: name });
    button.addEventListener('pointerenter', emphasise('highlight'));
    button.addEventListener('pointerleave', emphasise('downplay'));
    button.addEventListener('focus', emphasise('highlight'));
    button.addEventListener('blur', emphasise('downplay'));
  }
}

function element(tag: string, className: string, text = ''): HTMLElement {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
