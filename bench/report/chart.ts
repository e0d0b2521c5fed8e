// One plot as options of Apache ECharts, for the drawn file and for the page alike.
import type { EChartsCoreOption } from 'echarts/core';
import { type Axis, position, tickLabel } from './axes.js';
import type { Plot, Point, Series } from './plot.js';
import { COLOURS, SHAPES, type Theme } from './styles.js';

/** Colours besides those of series. */
export const GROUND: Readonly<Record<Theme, { ink: string; soft: string; line: string; card: string }>> = {
  light: { ink: '#1c2430', soft: '#566375', line: '#e1e6ec', card: '#ffffff' },
  dark: { ink: '#e4e9f0', soft: '#9fadc0', line: '#2a3442', card: '#151b24' },
};

/** Without quotes, which would end the attribute of an SVG that this is written into. */
export const FONT = 'system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, DejaVu Sans, sans-serif';

/** Below this width a plot has fewer ticks and smaller marks. */
const NARROW = 520;

export const colourOf = ({ style }: Series, theme: Theme): string => COLOURS[theme][style.colour] as string;
export const shapeOf = ({ style }: Series): string => SHAPES[style.shape] as string;

/** A point of the drawn data: its place, and which point of the series it is. */
export interface Datum {
  value: [number, number];
  point: number;
}

/**
 * Options without legend and tooltip. Two drawn series for each of the plot, both by its name: the line with its
 * points, and the points that are beaten, fainter. Series named in `hidden` leave the axes as they are.
 */
export function chartOption(
  plot: Plot,
  { theme, width, hidden = new Set() }: { theme: Theme; width: number; hidden?: ReadonlySet<string> },
): EChartsCoreOption {
  const { ink, soft } = GROUND[theme];
  const narrow = width < NARROW;
  const shown = plot.series.filter(({ name }) => !hidden.has(name));
  return {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { fontFamily: FONT, color: ink },
    grid: { left: 8, right: 18, top: 34, bottom: 40, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      ...axisOption(plot.x, theme, narrow ? 5 : 12),
      name: plot.x.label,
      nameLocation: 'middle',
      nameGap: 30,
      nameTextStyle: { color: soft, fontSize: 13 },
    },
    yAxis: {
      ...axisOption(plot.y, theme, 9),
      name: plot.y.label,
      nameLocation: 'end',
      nameGap: 14,
      nameTextStyle: { color: soft, fontSize: 13, align: 'left', padding: [0, 0, 0, -34] },
    },
    series: shown.flatMap((series) => drawnSeries(plot, series, theme, narrow)),
  };
}

/** Always of type `value`, with places instead of figures, so that ticks are where `axes.ts` puts them. */
function axisOption(axis: Axis, theme: Theme, most: number): object {
  const { soft, line } = GROUND[theme];
  const every = Math.ceil(axis.ticks.length / most);
  // Counted from the end, since the end of an axis of recall is what one looks at.
  const labelled = axis.ticks.filter((_, i) => (axis.ticks.length - 1 - i) % every === 0);
  const places = labelled.map((tick) => position(axis.scale, tick));
  const label = (place: number) => {
    const i = places.findIndex((each) => Math.abs(each - place) < 1e-9 * Math.max(1, Math.abs(each)));
    return i < 0 ? '' : tickLabel(axis, labelled[i] as number);
  };
  return {
    type: 'value',
    min: position(axis.scale, axis.min),
    max: position(axis.scale, axis.max),
    axisLine: { show: false },
    axisTick: { show: false, customValues: places },
    axisLabel: { customValues: places, formatter: label, color: soft, fontSize: 12, hideOverlap: true },
    splitLine: { lineStyle: { color: line, width: 1 } },
  };
}

function drawnSeries(plot: Plot, series: Series, theme: Theme, narrow: boolean): object[] {
  const { name, points, line, ours, dashed } = series;
  const color = colourOf(series, theme);
  const datum = (point: number): Datum => {
    const { x, y } = points[point] as Point;
    return { value: [position(plot.x.scale, x), position(plot.y.scale, y)], point };
  };
  const beaten = points.map((_, i) => i).filter((i) => !line.includes(i));
  const size = (ours ? 10 : 9) - (narrow ? 2 : 0);
  const shared = {
    name,
    symbol: `path://${shapeOf(series)}`,
    symbolSize: size,
    z: ours ? 4 : 3,
    clip: false,
  };
  return [
    {
      ...shared,
      type: 'line',
      data: line.map(datum),
      showAllSymbol: true,
      itemStyle: { color, borderColor: GROUND[theme].card, borderWidth: 1, opacity: 1 },
      lineStyle: { color, width: ours ? 3 : 1.75, type: dashed ? 'dashed' : 'solid' },
      emphasis: { focus: 'series', scale: 1.4 },
      blur: { lineStyle: { opacity: 0.15 }, itemStyle: { opacity: 0.15 } },
    },
    {
      ...shared,
      type: 'scatter',
      data: beaten.map(datum),
      symbolSize: size - 2,
      itemStyle: { color, opacity: 0.4 },
      emphasis: { focus: 'series' },
      blur: { itemStyle: { opacity: 0.1 } },
    },
  ];
}

/** What is good in a plot, in words. */
export function directionOf({ kind, y }: Plot): string {
  if (kind === 'recall') return `Further right and ${y.lowerIsBetter ? 'lower' : 'higher'} is better.`;
  if (kind === 'latency') return `Further right${y.lowerIsBetter ? ' and lower' : ''} is better.`;
  return `${y.lowerIsBetter ? 'Lower' : 'Higher'} is better.`;
}
