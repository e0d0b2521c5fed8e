// A plot as a file of its own, drawn without a browser.
import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { chartOption, directionOf, FONT, GROUND } from './chart.js';
import type { Plot } from './plot.js';
import { COLOURS } from './styles.js';

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const WIDTH = 960;
const HEIGHT = 480;
const TITLE = 62;
/** Of a letter of the legend, about. */
const LETTER = 6.6;

/** The drawing with title and legend, light, and dark where the reader's system is. */
export function plotSvg(plot: Plot): string {
  const longest = Math.max(...plot.series.map(({ name }) => name.length));
  const side = Math.min(340, Math.max(120, Math.round(longest * LETTER) + 48));
  const option = chartOption(plot, { theme: 'light', width: WIDTH - side });
  const { ink, soft, card } = GROUND.light;
  const chart = init(undefined, undefined, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    ...option,
    backgroundColor: card,
    title: {
      text: plot.title,
      subtext: directionOf(plot),
      left: 12,
      top: 10,
      itemGap: 6,
      textStyle: { color: ink, fontSize: 17, fontWeight: 600, fontFamily: FONT },
      subtextStyle: { color: soft, fontSize: 13, fontFamily: FONT },
    },
    grid: { ...(option.grid as object), left: 20, top: TITLE + 34, right: side, bottom: 46 },
    legend: {
      orient: 'vertical',
      left: WIDTH - side + 16,
      top: TITLE + 26,
      itemWidth: 26,
      itemHeight: 10,
      itemGap: 11,
      selectedMode: false,
      data: plot.series.map(({ name }) => name),
      textStyle: { color: ink, fontSize: 12.5, fontFamily: FONT, width: side - 56, overflow: 'break' },
    },
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return adaptive(svg);
}

/** Adds rules that turn every colour of the light drawing into its dark one; programs that know no such rules see the light one. */
function adaptive(svg: string): string {
  const pairs = [
    ...Object.values(GROUND.light).map((colour, i) => [colour, Object.values(GROUND.dark)[i]]),
    ...COLOURS.light.map((colour, i) => [colour, COLOURS.dark[i]]),
  ];
  const rules = pairs.flatMap(([light, dark]) =>
    ['fill', 'stroke'].map((paint) => `[${paint}="${light}"]{${paint}:${dark}}`),
  );
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`;
  return svg.replace(/^(<svg\b[^>]*>)/, (start) => `${start}\n${style}`);
}
