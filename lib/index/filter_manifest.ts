// What a model file says about a filter index beside its tensors, and the checks of both: they come from outside.
import { SilverlodeError } from '../errors.js';
import type { FieldType } from '../filter/schema.js';
import type { DType } from '../tensor/dtype.js';
import { type Dim, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BloomTensors } from './filter_bloom.js';
import { corrupt, type DictionaryTensors } from './filter_dictionary.js';

/** One field of an index, fit for JSON; see `FieldSchema`. */
export interface FieldManifest {
  readonly name: string;
  readonly type: FieldType;
  readonly multi: boolean;
  readonly existsSlice: number;
  readonly column?: { readonly width: 32 | 64; readonly index: number } | undefined;
}

/** What an index is beside its tensors, fit for JSON. */
export interface FilterManifest {
  readonly version: 2;
  /** Bloom positions per term. */
  readonly hashes: number;
  readonly fields: readonly FieldManifest[];
}

/** All tensors of an index, by their names in a model file. */
export interface FilterTensors extends BloomTensors, DictionaryTensors {
  slices: Tensor<'int64'>;
  columns32: Tensor<'int32'>;
  columns64: Tensor<'int64'>;
}

const TYPES: readonly unknown[] = ['string', 'boolean', 'int64', 'float64'];
const BLOCK_ROWS = 512;
const MAX_HASHES = 16;

/**
 * Picks the tensors of an index and checks that they fit each other. Only the ends of long offsets are read; those in
 * between are checked where they are used.
 *
 * @throws {@link SilverlodeError} `CORRUPT_FILE`, with the tensor as `part`.
 */
export function checkTensors(tensors: ReadonlyMap<string, Tensor>, fields: number): FilterTensors {
  const take = <D extends DType>(name: keyof FilterTensors, dtype: D, ...shape: (number | '*')[]): Tensor<D> => {
    const found = tensors.get(name);
    if (found === undefined) throw corrupt(name, 'is missing');
    const fits = found.shape.length === shape.length && shape.every((dim, i) => dim === '*' || dim === found.shape[i]);
    if (found.dtype === dtype && fits) return found as Tensor as Tensor<D>;
    throw corrupt(name, `is ${found.dtype} ${shapeText(found.shape)}, not ${dtype} ${shapeText(shape as Dim[])}`);
  };
  const length = (tensor: Tensor) => tensor.shape[0] as number;

  const bloom = take('bloom', 'int64', '*', 8);
  const bloomOffsets = take('bloomOffsets', 'int64', '*');
  const rows = (length(bloomOffsets) - 1) * BLOCK_ROWS;
  if (rows < 0) throw corrupt('bloomOffsets', 'is empty');
  const terms = take('terms', 'int32', '*');
  const termOffsets = take('termOffsets', 'int32', length(bloom) > 0 || length(terms) > 0 ? rows + 1 : '*');
  const dictionarySlices = take('dictionarySlices', 'int32', '*');
  const found: FilterTensors = {
    slices: take('slices', 'int64', '*', rows / 64),
    bloom,
    bloomOffsets,
    columns32: take('columns32', 'int32', '*', rows),
    columns64: take('columns64', 'int64', '*', rows),
    termOffsets,
    terms,
    dictionaryBytes: take('dictionaryBytes', 'uint8', '*'),
    dictionaryOffsets: take('dictionaryOffsets', 'int64', length(dictionarySlices) + 1),
    dictionaryFields: take('dictionaryFields', 'int32', fields + 1),
    dictionarySlices,
    dictionaryItems: take('dictionaryItems', 'int32', length(dictionarySlices)),
  };
  checkEnds('bloomOffsets', bloomOffsets, length(bloom));
  if (length(termOffsets) > 0) checkEnds('termOffsets', termOffsets, length(terms));
  checkEnds('dictionaryOffsets', found.dictionaryOffsets, length(found.dictionaryBytes));
  checkEnds('dictionaryFields', found.dictionaryFields, length(dictionarySlices));
  if (found.dictionaryFields.view().some((first, field, all) => field > 0 && first < (all[field - 1] as number))) {
    throw corrupt('dictionaryFields', 'does not ascend');
  }
  return found;
}

function checkEnds(name: string, offsets: Tensor<'int64'> | Tensor<'int32'>, end: number): void {
  const view = offsets.view();
  if (Number(view[0]) !== 0 || Number(view.at(-1)) !== end) throw corrupt(name, `does not lead from 0 to ${end}`);
}

/**
 * Checks a manifest as far as that can be done without the tensors.
 *
 * @throws {@link SilverlodeError} `CORRUPT_FILE`, with the field as `part`; `UNSUPPORTED_VERSION`.
 */
export function checkManifest(manifest: unknown): FilterManifest {
  const { version, hashes, fields } = (manifest ?? {}) as Partial<Record<keyof FilterManifest, unknown>>;
  if (version !== 2) {
    if (typeof version !== 'number') throw corrupt('version', 'is missing');
    throw new SilverlodeError('UNSUPPORTED_VERSION', `Filter index: version ${version} is not supported`, { version });
  }
  if (!isIndex(hashes, MAX_HASHES + 1)) throw corrupt('hashes', `is not an integer up to ${MAX_HASHES}`);
  if (!Array.isArray(fields)) throw corrupt('fields', 'is not a list');
  const checked = fields.map(checkField);
  if (new Set(checked.map(({ name }) => name)).size < checked.length) throw corrupt('fields', 'repeats a name');
  return { version, hashes, fields: checked };
}

function checkField(field: unknown): FieldManifest {
  const { name, type, multi, existsSlice, column } = (field ?? {}) as FieldManifest;
  if (typeof name !== 'string') throw corrupt('fields', 'has a field without a name');
  const part = `field ${JSON.stringify(name)}`;
  if (!TYPES.includes(type)) throw corrupt(part, 'has no known type');
  if (typeof multi !== 'boolean') throw corrupt(part, 'does not say whether it is multi-valued');
  const isNumber = (type === 'int64' || type === 'float64') && !multi;
  if (isNumber !== (column !== undefined)) throw corrupt(part, isNumber ? 'lacks its column' : 'has a column');
  if (column === undefined) return { name, type, multi, existsSlice };
  const { width, index } = column ?? {};
  if (width !== 64 && (width !== 32 || type === 'float64')) throw corrupt(part, 'has a column of a wrong width');
  return { name, type, multi, existsSlice, column: { width, index } };
}

/** Checks what a manifest says about its tensors. */
export function checkPlaces({ fields, hashes }: FilterManifest, tensors: FilterTensors): void {
  const count = (tensor: Tensor) => tensor.shape[0] as number;
  if (hashes === 0 && count(tensors.bloom) > 0) throw corrupt('hashes', 'is 0 beside a Bloom signature');
  for (const { name, existsSlice, column } of fields) {
    const part = `field ${JSON.stringify(name)}`;
    if (existsSlice !== -1 && !isIndex(existsSlice, count(tensors.slices)))
      throw corrupt(part, 'has a wrong existsSlice');
    const columns = column?.width === 32 ? tensors.columns32 : tensors.columns64;
    if (column !== undefined && !isIndex(column.index, count(columns))) throw corrupt(part, 'has a wrong column');
  }
}

function isIndex(value: unknown, limit: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < limit;
}
