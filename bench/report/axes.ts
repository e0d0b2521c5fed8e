// What an axis of a plot is called, how it is scaled and where its ticks are.
import { tickText } from './numbers.js';

/**
 * `nines` is for recall: as far from 0.9 to 0.99 as from 0.99 to 0.999, since the last hundredths cost most. It ends at
 * 0.9995, where everything above is drawn too.
 */
export type Scale = 'linear' | 'log' | 'nines';

const LAST_NINES = 0.9995;

export interface Axis {
  /** The figure that it shows. */
  name: string;
  label: string;
  scale: Scale;
  /** Ends of the axis, in figures. */
  min: number;
  max: number;
  /** From `min` to `max`, both included. */
  ticks: readonly number[];
  lowerIsBetter: boolean;
}

/** Names of figures that say more when written out. */
const LABELS: Readonly<Record<string, string>> = {
  'req/s': 'requests per second',
  ms: 'median time, ms',
  'p99 ms': 'p99 latency, ms',
  'p95 ms': 'p95 latency, ms',
  'cpu us': 'processor time per answer, µs',
  'us/request': 'time per request, µs',
  'cpu s': 'processor time, s',
  'bytes/item': 'bytes per item',
};

const isShare = (name: string, values: readonly number[]) =>
  /recall|share|rate of|error/i.test(name) && values.every((value) => value >= 0 && value <= 1);

/** Times and bytes; rates (per second) are the other way round. */
const LESS = /(^|[\s/])(ns|us|µs|ms|s|seconds|bytes|MiB|GiB)\b(?!\/s)|false positive|error/i;

/** Where on an axis a value is drawn, in units that only compare with others of this scale. */
export function position(scale: Scale, value: number): number {
  if (scale === 'log') return Math.log10(value);
  return scale === 'nines' ? -Math.log10(1 - Math.min(value, LAST_NINES)) : value;
}

/** The text of a tick. */
export function tickLabel({ scale }: Axis, tick: number): string {
  return scale === 'nines' && tick === LAST_NINES ? `≥${tick}` : tickText(tick);
}

/** The axis of a figure that has these values: logarithmic wherever they allow it and span more than 2x. */
export function axisOf(name: string, values: readonly number[]): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const share = isShare(name, values);
  const scale = share && /^recall/i.test(name) ? 'nines' : !share && low > 0 && high > 2 * low ? 'log' : 'linear';
  const ticks = ticksOf(scale, low, high, share);
  return {
    name,
    label: LABELS[name] ?? name,
    scale,
    min: ticks[0] as number,
    max: ticks.at(-1) as number,
    ticks,
    lowerIsBetter: LESS.test(name) && !/\/s$/.test(name),
  };
}

function ticksOf(scale: Scale, low: number, high: number, share: boolean): number[] {
  if (scale === 'log') return logTicks(low, high);
  return scale === 'nines' ? ninesTicks(low, high) : linearTicks(low, high, share ? 1 : Number.POSITIVE_INFINITY);
}

/** Ticks of recall that enclose the values as far as the scale goes. */
export function ninesTicks(low: number, high: number): number[] {
  const all = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, LAST_NINES];
  const first = Math.min(
    all.findLastIndex((tick) => tick <= low),
    all.length - 2,
  );
  const last = all.findIndex((tick) => tick >= Math.min(high, LAST_NINES));
  return all.slice(first, Math.max(last, first + 1) + 1);
}

/** Ticks at 1, 2 and 5 of every decade, or fewer or more with the span; the first and the last enclose the values. */
export function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const steps = decades > 3.2 ? [1] : decades > 1.6 ? [1, 3] : decades > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++)
    all.push(...steps.map((step) => Number((step * 10 ** power).toPrecision(3))));
  const first = all.findLastIndex((tick) => tick <= low);
  return all.slice(first, all.findIndex((tick) => tick >= high) + 1);
}

/** About six round ticks that enclose the values; none above `limit`. */
export function linearTicks(low: number, high: number, limit = Number.POSITIVE_INFINITY): number[] {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) as number) * power;
  // One step below the limit at most, so that an axis of values that are all the limit has a length.
  const first = Math.min(Math.floor(low / step + 1e-9), Math.floor(limit / step + 1e-9) - 1);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return ticks.filter((tick) => tick <= limit);
}
