// Speed at a given recall, read off what was measured at several efforts.

/** One effort: what it found and how fast it was. */
export interface CurvePoint {
  recall: number;
  /** Anything that is better when larger, above zero. */
  speed: number;
}

/** Points that no other point beats in both recall and speed, by rising recall; of equal ones the first. */
export function paretoFront<Point extends CurvePoint>(points: readonly Point[]): Point[] {
  const byRecall = points.toSorted((a, b) => b.recall - a.recall || b.speed - a.speed);
  const front: Point[] = [];
  for (const point of byRecall) {
    const last = front.at(-1);
    if (last === undefined || point.speed > last.speed) front.push(point);
  }
  return front.reverse();
}

/**
 * Speed at a recall: along the Pareto front, the logarithm of the speed linear in the recall between neighbours. Below the least
 * recall the fastest point counts, since it finds more than was asked for.
 *
 * @returns undefined where no point reaches the recall.
 */
export function speedAt(points: readonly CurvePoint[], recall: number): number | undefined {
  const front = paretoFront(points);
  const above = front.findIndex((point) => point.recall >= recall);
  if (above < 0) return undefined;
  const high = front[above] as CurvePoint;
  const low = front[above - 1];
  if (low === undefined) return high.speed;
  const share = (recall - low.recall) / (high.recall - low.recall);
  return Math.exp((1 - share) * Math.log(low.speed) + share * Math.log(high.speed));
}

/** A name and its curve. */
export interface Curve {
  name: string;
  points: readonly CurvePoint[];
}

/** Who is fastest at a recall; undefined where nobody reaches it. */
export function bestAt(curves: readonly Curve[], recall: number): { name: string; speed: number } | undefined {
  return curves
    .flatMap(({ name, points }) => {
      const speed = speedAt(points, recall);
      return speed === undefined ? [] : [{ name, speed }];
    })
    .sort((a, b) => b.speed - a.speed)[0];
}

/** The middle of the values; of an even number the mean of the middle two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Quantile with linear interpolation between neighbours; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}
