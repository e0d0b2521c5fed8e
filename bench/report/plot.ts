// A plot as data: what is drawn into the files and, by the page, into the browser.
import type { Axis } from './axes.js';
import type { Style } from './styles.js';

/**
 * How points of a series are joined: `recall` by the Pareto line, `latency` (a measured rate on x) in the order they
 * were measured, which is that of growing load, `growth` by x.
 */
export type PlotKind = 'recall' | 'latency' | 'growth';

export interface Point {
  x: number;
  y: number;
  /** What a reader sees beside it: the name of the result, its times and all its figures. */
  name: string;
  figures: Readonly<Record<string, number>>;
}

export interface Series {
  /** With the file where more than one file has a series of this name in this plot. */
  name: string;
  style: Style;
  ours: boolean;
  /** The second and later runs of a series in one plot are dashed. */
  dashed: boolean;
  points: readonly Point[];
  /** Indices of the points on the line, in its order; the others are beaten by one of these. */
  line: readonly number[];
}

export interface Plot {
  /** Unique among plots; the name of its SVG. */
  id: string;
  title: string;
  kind: PlotKind;
  x: Axis;
  y: Axis;
  series: readonly Series[];
  files: readonly string[];
}
