// How numbers are written, the same in tables, plots and Markdown.

const NARROW_SPACE = '\u202f';

/** A number with four significant digits and groups of three; recall and other shares with four decimals at most. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-4)) return value.toExponential(3).replace('e+', 'e');
  const digits = size >= 1000 ? 0 : Math.min(4, 3 - Math.floor(Math.log10(size || 1)));
  const rounded = Number(value.toFixed(Math.max(0, digits)));
  const [whole = '', decimals] = String(Math.abs(rounded)).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE);
  return `${rounded < 0 ? '−' : ''}${grouped}${decimals === undefined ? '' : `.${decimals}`}`;
}

/** A tick of an axis: `500`, `20k`, `1.5M`; a number below 1000 as it is. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  for (const [unit, suffix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (size >= unit) return `${Number((value / unit).toPrecision(4))}${suffix}`;
  return String(Number(value.toPrecision(6)));
}

/** A ratio as `4.5x`; as a share in per cent where what is wanted is a share. */
export function ratioText(ratio: number, wanted: number): string {
  if (wanted < 1) return `${Number((100 * ratio).toPrecision(3))} %`;
  return `${ratio >= 1000 ? numberText(ratio) : Number(ratio.toPrecision(3))}x`;
}
