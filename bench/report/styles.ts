// Colours and marks of series: one per series in all plots, different within a plot as far as they go.

/**
 * Colours on a white and on a dark ground. Chosen so that, with full protanopia, deuteranopia or tritanopia (Machado,
 * Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009), no two of
 * them come close; the shape of the mark says the same again.
 */
export const COLOURS: Readonly<Record<Theme, readonly string[]>> = {
  light: ['#0153ff', '#de7c6f', '#025e64', '#c300ab', '#826a01', '#5c95ff', '#2e2670', '#641300'],
  dark: ['#466ef6', '#ff9c00', '#3dd4ab', '#af9cff', '#fff242', '#bef9ff', '#8d7387', '#ea3400'],
};

export type Theme = 'light' | 'dark';

/** Outlines of marks in a box of 10 x 10: circle, diamond, triangle, square, cross, triangle that points down. */
export const SHAPES: readonly string[] = [
  'M5 0A5 5 0 1 1 5 10A5 5 0 1 1 5 0Z',
  'M5 0L10 5L5 10L0 5Z',
  'M5 0L10 10L0 10Z',
  'M0 0H10V10H0Z',
  'M3.3 0H6.7V3.3H10V6.7H6.7V10H3.3V6.7H0V3.3H3.3Z',
  'M0 0H10L5 10Z',
];

/** Indices into `COLOURS` and `SHAPES`. */
export interface Style {
  colour: number;
  shape: number;
}

export const isOurs = (series: string): boolean => /^silverlode\b/i.test(series);

/** Silverlode first, then by name. */
export function bySeries(a: string, b: string): number {
  return Number(isOurs(b)) - Number(isOurs(a)) || a.localeCompare(b, 'en', { numeric: true });
}

/**
 * A style for every series; `plots` holds the names of the series of each plot. Greedy colouring of the graph whose
 * edges join series of one plot: the colour that the fewest neighbours have, of those the one that the fewest series
 * have; then the shape by the same rule, first of all apart from those of the same colour.
 */
export function assignStyles(plots: readonly (readonly string[])[]): Map<string, Style> {
  const styles = new Map<string, Style>();
  for (const name of [...new Set(plots.flat())].sort(bySeries)) {
    const beside = new Set(plots.filter((plot) => plot.includes(name)).flat());
    // What is ours is given to another only when everything else beside it has been given often.
    const weight = (other: string) => (beside.has(other) ? 1000 : 1) * (isOurs(other) ? 4 : 1);
    const rarest = (count: number, cost: (style: Style, value: number) => number) => {
      const sum = (value: number) =>
        [...styles].reduce((all, [other, style]) => all + weight(other) * cost(style, value), 0);
      const costs = Array.from({ length: count }, (_, value) => sum(value));
      return costs.indexOf(Math.min(...costs));
    };
    const colour = rarest(COLOURS.light.length, (style, value) => Number(style.colour === value));
    const apart = (style: Style, value: number) => (style.shape === value ? (style.colour === colour ? 100 : 1) : 0);
    styles.set(name, { colour, shape: rarest(SHAPES.length, apart) });
  }
  return styles;
}
