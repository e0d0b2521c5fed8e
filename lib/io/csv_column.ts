// CSV has only text. This file decides what a column of text means.

/** A number as JSON writes it. Leading zeros are excluded on purpose: `007` is a code, not seven. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const INTEGER = /^-?(?:0|[1-9]\d*)$/;
const BOOLEAN = /^(?:true|false)$/i;

/**
 * Types a whole column by all of its cells.
 *
 * @param cells The cells as text; an empty one is a missing value.
 * @param listSeparator When given and found in any cell, all cells are split at it.
 * @returns The values, or arrays of values; `null` for a missing one.
 */
export function typedColumn(cells: readonly string[], listSeparator?: string): unknown[] {
  if (listSeparator && cells.some((cell) => cell.includes(listSeparator))) {
    const lists = cells.map((cell) => cell.split(listSeparator).filter((value) => value !== ''));
    const convert = converterFor(lists.flat());
    return lists.map((list) => (list.length > 0 ? list.map(convert) : null));
  }
  const convert = converterFor(cells.filter((cell) => cell !== ''));
  return cells.map((cell) => (cell === '' ? null : convert(cell)));
}

function converterFor(values: readonly string[]): (value: string) => unknown {
  if (values.every((value) => NUMBER.test(value))) {
    const isWide = values.some((value) => INTEGER.test(value) && !Number.isSafeInteger(Number(value)));
    return isWide && values.every((value) => INTEGER.test(value)) ? BigInt : Number;
  }
  if (values.every((value) => BOOLEAN.test(value))) return (value) => value.toLowerCase() === 'true';
  return (value) => value;
}
