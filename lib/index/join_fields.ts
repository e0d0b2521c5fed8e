// Attributes of one segment followed by those of items that came later.
import type { AttributeValue, FieldColumn } from './attributes.js';
import type { FieldKind, ItemValues } from './growing_filter.js';
import { inPieces } from './progress.js';
import { ShardedMap } from './sharded_map.js';

/** Items read between two turns of the event loop. */
const PIECE_ITEMS = 4096;

/**
 * One column per field: the decoded items first, then `added`.
 *
 * @param decoded Fields of the first `items` items, in the order of `fields`; fields at the end may be missing.
 */
export async function joinFields(
  decoded: readonly FieldColumn[],
  items: number,
  fields: readonly FieldKind[],
  added: readonly ItemValues[],
): Promise<FieldColumn[]> {
  const joined: FieldColumn[] = [];
  for (const [f, field] of fields.entries()) {
    const values = added.map((item) => item[f] ?? []);
    const before = decoded[f];
    const present = new Uint8Array(items + added.length);
    if (before) present.set(before.present);
    await inPieces(values.length, (begin, end) => {
      for (let i = begin; i < end; i++) present[items + i] = (values[i]?.length ?? 0) > 0 ? 1 : 0;
    });
    const isNumber = (field.type === 'int64' || field.type === 'float64') && !field.multi;
    joined.push(
      isNumber
        ? { ...kindOf(field), kind: 'numbers', present, numbers: joinNumbers(before, items, field, values) }
        : { ...kindOf(field), kind: 'terms', present, ...(await joinTerms(before, items, values)) },
    );
  }
  return joined;
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

async function joinTerms(before: FieldColumn | undefined, items: number, values: Values) {
  const old = before?.kind === 'terms' ? before : undefined;
  const texts: string[] = [];
  const codeOf = new ShardedMap<string>();
  const codeFor = (text: string): number => {
    const known = codeOf.get(text);
    if (known !== undefined) return known;
    codeOf.add(text, texts.length);
    return texts.push(text) - 1;
  };
  const { texts: known = [] } = old ?? {};
  await inPieces(known.length, (begin, end) => {
    for (let code = begin; code < end; code++) codeFor(known[code] as string);
  });
  const offsets = new Uint32Array(items + values.length + 1);
  if (old) offsets.set(old.offsets);
  const own: number[] = [];
  const append = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) {
      const codes = new Set((values[i] ?? []).map((value) => codeFor(String(value))));
      own.push(...codes);
      offsets[items + i + 1] = (offsets[items + i] as number) + codes.size;
    }
  };
  await inPieces(values.length, append, PIECE_ITEMS);
  const codes = new Int32Array(offsets.at(-1) as number);
  if (old) codes.set(old.codes);
  codes.set(own, offsets[items]);
  return { texts, offsets, codes };
}
