// Updates in a model file: the fresh items as they are, beside the main segment.
import { SilverlodeError } from '../../errors.js';
import { decodeFields, valuesOf } from '../../index/filter_decode.js';
import { FilterIndex } from '../../index/filter_index.js';
import type { FieldKind } from '../../index/growing_filter.js';
import { joinFields } from '../../index/join_fields.js';
import { Pace } from '../../index/pace.js';
import { inPieces } from '../../index/progress.js';
import { gatherRows } from '../../ops/gather_rows.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { CatalogueIds } from '../item_ids.js';
import { withPrefix } from '../main_segment.js';
import type { Manifest, SavedUpdates } from '../manifest.js';
import { StoredItems } from '../stored.js';
import type { ItemId } from '../types.js';
import type { Capture } from './capture.js';
import type { FreshItem } from './fresh_segment.js';

/** What a model file says about items that came after publishing. */
export interface SavedItems {
  readonly items: readonly FreshItem[];
  /** All fields, those of the main segment first. */
  readonly fields: readonly FieldKind[];
}

/** Items read between two turns of the event loop. */
const PIECE_ITEMS = 1024;
const PREFIX = 'fresh.';
const FILTER_PREFIX = 'eligible.';
const BLOCK_ROWS = 512;
const COLUMNS = ['rows', 'rowScales', 'rowBias', 'features', 'embeddings'] as const;

/** Tensors and manifest of a captured version. Native ops run on the device in scope. */
export async function toSaved(
  captured: Capture,
  place: Pick<SavedUpdates, 'position' | 'journal'>,
): Promise<{ tensors: Map<string, Tensor>; manifest: Manifest }> {
  const { main, fresh, rows, fields, attributes, version } = captured;
  const manifest = { ...version.main.manifest };
  const tensors = new Map(main);
  const updates: SavedUpdates = { items: rows.length, ...place };
  if (rows.length > 0) {
    const index = tensor(rows, { dtype: 'int32' }) as Tensor;
    for (const name of COLUMNS) {
      const column = fresh.get(name);
      if (column) tensors.set(PREFIX + name, (await gatherRows(column, index)) as Tensor);
    }
    const ids = await CatalogueIds.from(captured.ids as string[]);
    for (const [name, each] of ids.tensors) tensors.set(PREFIX + name, each);
    const columns = await joinFields([], 0, fields, attributes);
    const eligible = await FilterIndex.build(columns, { ordinals: blockOf(rows.length), items: rows.length });
    for (const [name, each] of eligible.stateDict()) tensors.set(PREFIX + FILTER_PREFIX + name, each);
    updates.filter = eligible.manifest();
    const stored = await StoredItems.build(rows.length, (item) => captured.stored[item] as string);
    for (const [name, each] of stored) tensors.set(PREFIX + name, each);
  }
  const isPlain = rows.length === 0 && place.position === undefined && place.journal === undefined;
  manifest.updates = isPlain ? undefined : updates;
  return { tensors, manifest };
}

/** Splits the tensors of a file into those of the main segment and the fresh items, which are checked. */
export async function fromSaved(
  manifest: Manifest,
  all: ReadonlyMap<string, Tensor>,
): Promise<{ tensors: Map<string, Tensor>; saved: SavedItems | undefined }> {
  const own = withPrefix(all, PREFIX);
  const tensors = new Map([...all].filter(([name]) => !name.startsWith(PREFIX)));
  const { updates } = manifest;
  if (updates === undefined || updates.items === 0) return { tensors, saved: undefined };
  const ids = CatalogueIds.restore(manifest.ids, own, updates.items);
  const eligible = FilterIndex.restore(updates.filter, withPrefix(own, FILTER_PREFIX));
  const rows = Int32Array.from({ length: updates.items }, (_, item) => item);
  const fields = await decodeFields(eligible, rows, new Pace('attributes', 0, {}));
  const column = columnReader(own, tensors, updates.items);
  const stored = StoredItems.restore(own, updates.items);
  const items: FreshItem[] = [];
  const read = (item: number): FreshItem => ({
    id: ids.at(item) as ItemId,
    row: column('rows', item) as unknown as Int8Array,
    scale: column('rowScales', item)[0] as number,
    bias: column('rowBias', item)[0] ?? 0,
    features: column('features', item) as Float32Array,
    embedding: column('embeddings', item) as Float32Array,
    attributes: fields.map((field) => valuesOf(field, item)),
    stored: stored?.at(item) ?? '',
  });
  const readAll = (begin: number, end: number) => {
    for (let item = begin; item < end; item++) items.push(read(item));
  };
  await inPieces(rows.length, readAll, PIECE_ITEMS);
  return { tensors, saved: { items, fields: eligible.manifest().fields } };
}

/** Items as index rows in their order, padded to whole blocks. */
function blockOf(items: number): Int32Array {
  const rows = Math.ceil(items / BLOCK_ROWS) * BLOCK_ROWS;
  return Int32Array.from({ length: rows }, (_, row) => (row < items ? row : -1));
}

const MAIN_NAME: Readonly<Record<(typeof COLUMNS)[number], string>> = {
  rows: 'index.rows',
  rowScales: 'index.rowScales',
  rowBias: 'index.rowBias',
  features: 'features',
  embeddings: 'embeddings',
};

/** Reads columns that have the dtype and width of the main segment's. */
function columnReader(own: ReadonlyMap<string, Tensor>, main: ReadonlyMap<string, Tensor>, items: number) {
  const tables = new Map(
    COLUMNS.map((name) => {
      const [table, pattern] = [own.get(name), main.get(MAIN_NAME[name])];
      const shape = pattern && [items, ...pattern.shape.slice(1)];
      if (table?.dtype !== pattern?.dtype || table?.shape.join() !== shape?.join()) {
        throw new SilverlodeError('CORRUPT_FILE', `the tensor '${PREFIX}${name}' does not fit the model`, {
          tensor: PREFIX + name,
        });
      }
      return [name, { view: table?.view() as Float32Array | undefined, width: table?.shape[1] ?? 1 }];
    }),
  );
  return (name: (typeof COLUMNS)[number], item: number): Float32Array => {
    const { view, width } = tables.get(name) as { view: Float32Array | undefined; width: number };
    return view?.slice(item * width, (item + 1) * width) ?? new Float32Array(0);
  };
}
