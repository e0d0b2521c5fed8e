import { SilverlodeError } from '../errors.js';
import { termHash } from '../filter/bloom_hash.js';
import { PlanCache } from '../filter/cache.js';
import type { FilterPlan } from '../filter/plan.js';
import type { FieldSchema, FilterSchema, TermRef } from '../filter/schema.js';
import { Module } from '../nn/module.js';
import { filterCheck } from '../ops/filter_check.js';
import { filterEval } from '../ops/filter_eval.js';
import type { FilterPlanTensors } from '../ops/filter_index.js';
import type { SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { isTypedArrayOf } from '../tensor/typed_array.js';
import { type AttributeColumns, type FieldColumn, readAttributes } from './attributes.js';
import { buildBloom } from './filter_bloom.js';
import { buildColumns } from './filter_columns.js';
import { buildDictionary, corrupt, FilterDictionary } from './filter_dictionary.js';
import {
  checkManifest,
  checkPlaces,
  checkTensors,
  type FieldManifest,
  type FilterManifest,
  type FilterTensors,
} from './filter_manifest.js';
import { type EncodedPlans, encodePlans, packPlans } from './filter_plans.js';
import { buildSlices, layoutSlices } from './filter_slices.js';
import { Pace, type WorkOptions } from './pace.js';
import { inPieces } from './progress.js';

export type { FilterManifest } from './filter_manifest.js';
export { encodePlans, filterPlanInputs } from './filter_plans.js';

/** How a filter index is laid out; any choice gives the same answers. */
export interface FilterIndexOptions {
  /** Width of the Bloom signature per term of a row, 1 to 256; default 12. */
  bitsPerTerm?: number | undefined;
  /** Bloom positions per term, 1 to 16; default 4. */
  hashes?: number | undefined;
  /**
   * Values that at least this share of the items have get an exact bit slice, the others share the Bloom signature;
   * default 1/100: a slice costs at most 12.5 bytes per item that has the value there, and is read ten times faster than
   * a signature. Booleans always get one.
   */
  sliceThreshold?: number | undefined;
}

/** What `FilterIndex.build` must know beside the attributes. */
export interface FilterBuildOptions extends FilterIndexOptions, WorkOptions {
  /** The item of each index row, -1 for padding; a multiple of 512 rows. */
  ordinals: Int32Array;
  /** How many items there are. */
  items: number;
}

const BLOCK_ROWS = 512;
const MAX_BITS_PER_TERM = 256;

/**
 * The eligibility of items as tensors: exact bit slices, a Bloom signature, numeric columns, and the exact terms that
 * settle what the signature leaves open. Layout in native/ops/filter_index.h.
 *
 * @example
 * ```ts
 * const eligible = await FilterIndex.build({ language: ['en', 'de', null, …] }, { ordinals, items });
 * const plan = eligible.plans.compile('language:en');
 * ```
 */
export class FilterIndex extends Module implements FilterTensors {
  protected override readonly bufferNames = [
    ...['slices', 'bloom', 'bloomOffsets', 'columns32', 'columns64', 'termOffsets', 'terms'],
    ...['dictionaryBytes', 'dictionaryOffsets', 'dictionaryFields', 'dictionarySlices', 'dictionaryItems'],
  ];
  readonly slices: Tensor<'int64'>;
  readonly bloom: Tensor<'int64'>;
  readonly bloomOffsets: Tensor<'int64'>;
  readonly columns32: Tensor<'int32'>;
  readonly columns64: Tensor<'int64'>;
  readonly termOffsets: Tensor<'int32'>;
  readonly terms: Tensor<'int32'>;
  readonly dictionaryBytes: Tensor<'uint8'>;
  readonly dictionaryOffsets: Tensor<'int64'>;
  readonly dictionaryFields: Tensor<'int32'>;
  readonly dictionarySlices: Tensor<'int32'>;
  readonly dictionaryItems: Tensor<'int32'>;
  /** Bloom positions per term. */
  readonly hashes: number;
  /** The fields, as filters are compiled for them. */
  readonly schema: FilterSchema;
  /** Compiled filters. */
  readonly plans: PlanCache;

  private constructor(
    private readonly fields: readonly FieldManifest[],
    hashes: number,
    tensors: FilterTensors,
  ) {
    super();
    this.slices = tensors.slices;
    this.bloom = tensors.bloom;
    this.bloomOffsets = tensors.bloomOffsets;
    this.columns32 = tensors.columns32;
    this.columns64 = tensors.columns64;
    this.termOffsets = tensors.termOffsets;
    this.terms = tensors.terms;
    this.dictionaryBytes = tensors.dictionaryBytes;
    this.dictionaryOffsets = tensors.dictionaryOffsets;
    this.dictionaryFields = tensors.dictionaryFields;
    this.dictionarySlices = tensors.dictionarySlices;
    this.dictionaryItems = tensors.dictionaryItems;
    this.hashes = hashes;
    this.schema = schemaOf(fields, new FilterDictionary(tensors), tensors.slices.shape[0] as number);
    this.plans = new PlanCache(this.schema);
  }

  /**
   * Builds the index of a catalogue.
   *
   * @param attributes One column per field, or what `readAttributes` made of them; none at all is fine.
   * @throws {@link SilverlodeError} as `readAttributes`; `INVALID_ARGUMENT` for options out of range;
   *   `LIMIT_EXCEEDED` when the exact terms of all rows, or their entries in slices, are 2^31 or more.
   */
  static async build(
    attributes: AttributeColumns | readonly FieldColumn[],
    options: FilterBuildOptions,
  ): Promise<FilterIndex> {
    const { ordinals, items } = options;
    const { bitsPerTerm, hashes, sliceThreshold } = requireFilterOptions(options);
    await requireOrdinals(ordinals, items);
    const fields = Array.isArray(attributes)
      ? (attributes as readonly FieldColumn[])
      : await readAttributes(attributes as AttributeColumns, items, options);

    const pace = new Pace('filter', 8 * ordinals.length * fields.length, options);
    const columns = await buildColumns(fields, ordinals, pace);
    const { tensors: dictionary, termOf } = await buildDictionary(fields, pace);
    const layout = await layoutSlices(fields, termOf, dictionary.dictionarySlices.shape[0] as number, sliceThreshold);
    dictionary.dictionarySlices.view().set(layout.ofTerm);
    dictionary.dictionaryItems.view().set(layout.holders);
    const slices = await buildSlices(fields, termOf, layout, ordinals, pace);
    const bloom = await buildBloom(fields, termOf, layout.ofTerm, ordinals, { bitsPerTerm, hashes }, pace);
    pace.finish();

    const { columns32, columns64, places } = columns;
    const manifests = fields.map(({ name, type, multi }, f): FieldManifest => {
      const field = { name, type, multi, existsSlice: layout.exists[f] as number };
      return places[f] === undefined ? field : { ...field, column: places[f] };
    });
    return new FilterIndex(manifests, hashes, { slices, columns32, columns64, ...bloom, ...dictionary });
  }

  /**
   * The index that `manifest()` and `stateDict()` tell about. Both are checked, as they may come from anywhere; tensors
   * are taken as they are, without a copy.
   *
   * @throws {@link SilverlodeError} `CORRUPT_FILE`, with the tensor or field as `part`; `UNSUPPORTED_VERSION`.
   */
  static restore(manifest: unknown, tensors: ReadonlyMap<string, Tensor>): FilterIndex {
    const checked = checkManifest(manifest);
    const own = checkTensors(tensors, checked.fields.length);
    checkPlaces(checked, own);
    return new FilterIndex(checked.fields, checked.hashes, own);
  }

  /** What the index is beside its tensors, fit for JSON. */
  manifest(): FilterManifest {
    return { version: 2, hashes: this.hashes, fields: this.fields };
  }

  /** The compiled filters of a batch as `ivfProbe` takes them; undefined for a request without one. */
  encodePlans(plans: readonly (FilterPlan | undefined)[]): EncodedPlans {
    return encodePlans(plans);
  }

  /**
   * Eligible rows of the whole catalogue: the filter-then-probe form, a reference for `ivfProbe`.
   *
   * @param plans int32 [plans + 1] and int64 [steps, 4]
   * @param live int64 [W]
   * @returns int64 [plans, W]
   */
  override forward(plans: FilterPlanTensors, live: SymbolicTensor): SymbolicTensor {
    const options = { hashes: this.hashes };
    return filterCheck(filterEval(plans, live, this, options), plans, this, options);
  }

  /** As `forward`, at once: int64 [plans, W], one row for every plan. */
  async mask(plans: readonly FilterPlan[], live: Tensor): Promise<Tensor<'int64'>> {
    const { offsets, steps } = packPlans(plans);
    const batch = { offsets: tensor(offsets), steps: tensor(steps, { shape: [steps.length / 4, 4] }) };
    const options = { hashes: this.hashes };
    const bounds = await filterEval(batch, live, this, options);
    return (await filterCheck(bounds, batch, this, options)) as Tensor<'int64'>;
  }
}

function schemaOf(fields: readonly FieldManifest[], dictionary: FilterDictionary, slices: number): FilterSchema {
  const entries = fields.map((field, f): [string, FieldSchema] => {
    const lookup = (value: string | boolean | number | bigint): TermRef | undefined => {
      const text = String(value);
      const term = dictionary.find(f, text);
      if (term < 0) return undefined;
      const slice = dictionary.slice(term);
      const items = dictionary.holders(term);
      if (slice === -1) return { kind: 'bloom', term, hash: termHash(f, text), items };
      if (slice < 0 || slice >= slices) throw corrupt('dictionarySlices', `entry ${term} is wrong`);
      return { kind: 'slice', slice, items };
    };
    return [field.name, { ...field, lookup }];
  });
  return { fields: new Map(entries) };
}

/**
 * Options with their defaults.
 *
 * @throws {@link SilverlodeError} `INVALID_ARGUMENT` where one is out of range.
 */
export function requireFilterOptions(options: FilterIndexOptions) {
  const { bitsPerTerm = 12, hashes = 4, sliceThreshold = 1 / 100 } = options;
  requireRange('bitsPerTerm', bitsPerTerm >= 1 && bitsPerTerm <= MAX_BITS_PER_TERM, bitsPerTerm);
  requireRange('hashes', Number.isInteger(hashes) && hashes >= 1 && hashes <= 16, hashes);
  requireRange('sliceThreshold', sliceThreshold >= 0, sliceThreshold);
  return { bitsPerTerm, hashes, sliceThreshold };
}

function requireRange(name: string, valid: boolean, value: unknown): void {
  if (!valid) throw new SilverlodeError('INVALID_ARGUMENT', `${name} is out of range: ${value}`, { option: name });
}

async function requireOrdinals(ordinals: Int32Array, items: number): Promise<void> {
  if (!isTypedArrayOf(ordinals, Int32Array) || ordinals.length % BLOCK_ROWS !== 0) {
    throw new SilverlodeError(
      'INVALID_ARGUMENT',
      `ordinals must be an Int32Array of whole blocks of ${BLOCK_ROWS} rows`,
    );
  }
  await inPieces(ordinals.length, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const item = ordinals[row] as number;
      if (item < -1 || item >= items)
        throw new SilverlodeError('INVALID_ARGUMENT', `ordinals must lie in [-1, ${items})`);
    }
  });
}
