// Attributes of one segment followed by those of items that came later.
import type { AttributeValue, FieldColumn } from './attributes.js';
import type { FieldKind, ItemValues } from './growing_filter.js';

/**
 * One column per field: the decoded items first, then `added`.
 *
 * @param decoded Fields of the first `items` items, in the order of `fields`; fields at the end may be missing.
 */
export function joinFields(
  decoded: readonly FieldColumn[],
  items: number,
  fields: readonly FieldKind[],
  added: readonly ItemValues[],
): FieldColumn[] {
  return fields.map((field, f) => {
    const values = added.map((item) => item[f] ?? []);
    const before = decoded[f];
    const present = new Uint8Array(items + added.length);
    if (before) present.set(before.present);
    values.forEach((own, i) => {
      present[items + i] = own.length > 0 ? 1 : 0;
    });
    const isNumber = (field.type === 'int64' || field.type === 'float64') && !field.multi;
    return isNumber
      ? { ...kindOf(field), kind: 'numbers', present, numbers: joinNumbers(before, items, field, values) }
      : { ...kindOf(field), kind: 'terms', present, ...joinTerms(before, items, values) };
  });
}

const kindOf = ({ name, type, multi }: FieldKind): FieldKind => ({ name, type, multi });

type Values = readonly (readonly AttributeValue[])[];

function joinNumbers(before: FieldColumn | undefined, items: number, { type }: FieldKind, values: Values) {
  const numbers = new (type === 'int64' ? BigInt64Array : Float64Array)(items + values.length);
  if (before?.kind === 'numbers') numbers.set(before.numbers as never);
  values.forEach(([value], i) => {
    if (value !== undefined) numbers[items + i] = value as never;
  });
  return numbers;
}

function joinTerms(before: FieldColumn | undefined, items: number, values: Values) {
  const old = before?.kind === 'terms' ? before : undefined;
  const texts = [...(old?.texts ?? [])];
  const codeOf = new Map(texts.map((text, code) => [text, code]));
  const own = values.map((list) => {
    const codes = list.map((value) => {
      const text = String(value);
      const known = codeOf.get(text);
      if (known !== undefined) return known;
      codeOf.set(text, texts.length);
      return texts.push(text) - 1;
    });
    return [...new Set(codes)];
  });
  const offsets = new Uint32Array(items + values.length + 1);
  if (old) offsets.set(old.offsets);
  own.forEach((codes, i) => {
    offsets[items + i + 1] = (offsets[items + i] as number) + codes.length;
  });
  const codes = new Int32Array(offsets.at(-1) as number);
  if (old) codes.set(old.codes);
  codes.set(own.flat(), offsets[items]);
  return { texts, offsets, codes };
}
