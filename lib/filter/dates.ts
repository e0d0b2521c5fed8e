// Dates in filters: fields hold them as milliseconds since 1970, as Date.getTime() and Parquet do.

const DATE = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;
const DAY = 86_400_000n;

/** The milliseconds that a date means: from `begin` on and before `end`. */
export interface DateSpan {
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * Reads a date as ISO 8601 writes it: `2024-01-31` is the whole day, `2024-01-31T12:30`, with seconds, milliseconds and a zone if
 * need be, an instant. Without a zone it is UTC.
 *
 * @returns Undefined for any other text, and for a day or time that does not exist.
 */
export function parseDate(text: string): DateSpan | undefined {
  const [, day, time] = DATE.exec(text) ?? [];
  if (day === undefined) return undefined;
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return undefined;
  const begin = BigInt(midnight.getTime());
  if (time === undefined) return { begin, end: begin + DAY };
  const instant = Date.parse(/[Z+]|-\d{2}:\d{2}$/.test(time) ? text : `${text}Z`);
  if (Number.isNaN(instant)) return undefined;
  return { begin: BigInt(instant), end: BigInt(instant) + 1n };
}
