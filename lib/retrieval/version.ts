// One version of a catalogue: what a run reads from its first to its last stage.
import type { FilterExpr } from '../filter/ast.js';
import { PlanCache } from '../filter/cache.js';
import { FilterOp } from '../filter/opcodes.js';
import type { FilterPlan } from '../filter/plan.js';
import type { FilterSchema } from '../filter/schema.js';
import type { FieldKind, ItemValues } from '../index/growing_filter.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FreshName } from './fresh/inputs.js';
import { bytesOf, isSet } from './fresh/live_bits.js';
import type { MainSegment } from './main_segment.js';
import type { StoredText } from './stored.js';
import type { ItemId } from './types.js';

const EVERYTHING = BigInt(FilterOp.all);

/** Items beside the main segment, and which rows of that are still live. */
export interface FreshVersion {
  readonly tensors: ReadonlyMap<FreshName, Tensor>;
  /** By row; longer once later versions have more. */
  readonly ids: readonly ItemId[];
  /** Live row of an id; that of the current version, which is the only one that requests are placed in. */
  readonly rowOf: ReadonlyMap<ItemId, number>;
  readonly items: number;
  readonly schema: FilterSchema;
  /** Fields that the main segment does not know. */
  readonly newFields: readonly FieldKind[];
  /** Attributes of a row, by field. */
  attributesOf(row: number): ItemValues;
  storedOf(row: number): StoredText;
  /** Whether anything is stored. */
  readonly stores: boolean;
}

/** One filter for both segments; undefined without one. */
interface SegmentPlans {
  plan: FilterPlan | undefined;
  freshPlan: FilterPlan | undefined;
}

/** Index rows in both segments, and the ids that no item has. */
interface SegmentRows {
  rows: Int32Array;
  freshRows: Int32Array;
  unknown: ItemId[];
}

/** Where an item lies: its row and its ordinal within its segment. */
export interface ItemPlace {
  segment: 'main' | 'fresh';
  row: number;
  ordinal: number;
}

/** Immutable; a newer one takes its place. */
export class Version {
  readonly #mainPlans: PlanCache;
  readonly #freshPlans: PlanCache | undefined;
  readonly #mainLive: Uint8Array | undefined;

  constructor(
    readonly number: number,
    readonly main: MainSegment,
    /** Live rows of the main segment. */
    readonly mainItems: number,
    readonly fresh?: FreshVersion,
    before?: Version,
  ) {
    const added = fresh?.newFields.length ?? 0;
    const isKnown = before?.main === main && (before.fresh?.newFields.length ?? 0) === added;
    this.#mainPlans = isKnown ? before.#mainPlans : mainPlans(main, fresh?.newFields ?? []);
    const live = fresh?.tensors.get('mainLive');
    this.#mainLive = live && bytesOf(live);
    if (fresh)
      this.#freshPlans = before?.fresh?.schema === fresh.schema ? before.#freshPlans : new PlanCache(fresh.schema);
  }

  /** Live items. */
  get items(): number {
    return this.mainItems + (this.fresh?.items ?? 0);
  }

  idAt(ordinal: number): ItemId {
    return this.fresh?.ids[ordinal - this.main.ids.length] ?? this.main.ids.at(ordinal);
  }

  /** Ids of the ordinals [begin, end) of a list. */
  idsAt(ordinals: Int32Array, begin: number, end: number): ItemId[] {
    if (this.fresh === undefined) return this.main.ids.list(ordinals, begin, end);
    return Array.from(ordinals.subarray(begin, end), (ordinal) => this.idAt(ordinal));
  }

  /** The plans of a filter for both segments. */
  plans(filter: string | FilterExpr | undefined): SegmentPlans {
    if (filter === undefined) return { plan: undefined, freshPlan: undefined };
    return {
      plan: narrowing(this.#mainPlans.compile(filter)),
      freshPlan: narrowing(this.#freshPlans?.compile(filter)),
    };
  }

  rowsOf(ids: readonly ItemId[]): SegmentRows {
    const rows: number[] = [];
    const freshRows: number[] = [];
    const unknown: ItemId[] = [];
    for (const id of ids) {
      const fresh = this.fresh?.rowOf.get(id);
      const row = fresh === undefined ? this.#mainRow(id) : undefined;
      if (fresh !== undefined) freshRows.push(fresh);
      else if (row !== undefined) rows.push(row);
      else unknown.push(id);
    }
    return { rows: Int32Array.from(rows), freshRows: Int32Array.from(freshRows), unknown };
  }

  /** Where the item of an ordinal of a list lies. */
  placeAt(ordinal: number): ItemPlace {
    const row = ordinal - this.main.ids.length;
    if (row >= 0) return { segment: 'fresh', row, ordinal: row };
    return { segment: 'main', row: this.main.rowOf[ordinal] as number, ordinal };
  }

  /** Undefined for an id that no item has. */
  find(id: ItemId): ItemPlace | undefined {
    const row = this.fresh?.rowOf.get(id);
    if (row !== undefined) return { segment: 'fresh', row, ordinal: row };
    const mainRow = this.#mainRow(id);
    if (mainRow === undefined) return undefined;
    return { segment: 'main', row: mainRow, ordinal: this.main.ids.ordinalOf(id) as number };
  }

  /** What was deleted or replaced keeps its row, which is none of these. */
  #mainRow(id: ItemId): number | undefined {
    const ordinal = this.main.ids.ordinalOf(id);
    if (ordinal === undefined) return undefined;
    const row = this.main.rowOf[ordinal] as number;
    return this.#mainLive && !isSet(this.#mainLive, row) ? undefined : row;
  }
}

/** Undefined for a filter that everything satisfies. */
function narrowing(plan: FilterPlan | undefined): FilterPlan | undefined {
  return plan?.steps.length === 4 && plan.steps[0] === EVERYTHING ? undefined : plan;
}

function mainPlans(main: MainSegment, newFields: readonly FieldKind[]): PlanCache {
  if (newFields.length === 0) return main.eligible.plans;
  const fields = new Map(main.eligible.schema.fields);
  for (const field of newFields) {
    const isNumber = (field.type === 'int64' || field.type === 'float64') && !field.multi;
    const column = isNumber ? ({ width: 64, index: 0 } as const) : undefined;
    fields.set(field.name, { ...field, existsSlice: -1, empty: true, column, lookup: () => undefined });
  }
  return new PlanCache({ fields });
}
