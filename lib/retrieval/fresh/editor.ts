// Applies updates to a catalogue: decides them one after the other, then shows them together as a new version.
import { SilverlodeError } from '../../errors.js';
import type { FieldKind, ItemValues } from '../../index/growing_filter.js';
import { biasOf } from '../../index/ivf_index.js';
import { inPieces } from '../../index/progress.js';
import { itemVectors } from '../../index/rotation.js';
import { quantizeInt8 } from '../../ops/quantize_int8.js';
import { floatToFloat16 } from '../../tensor/half.js';
import { Tensor, tensor } from '../../tensor/tensor.js';
import type { ItemId } from '../types.js';
import { type FreshVersion, Version } from '../version.js';
import { type FreshItem, FreshSegment } from './fresh_segment.js';
import { bytesOf, isSet, setBit } from './live_bits.js';
import { readFeatures, readItems } from './main_items.js';
import { type Place, Stage } from './stage.js';
import { fitValues, newField, type UpdateColumn, withColumns } from './update_columns.js';
import type { CheckedUpdate } from './updates.js';
import { writeRows } from './write_rows.js';

type Upsert = Extract<CheckedUpdate, { type: 'upsert' }>;

const WORD_ROWS = 64;
/** Items put in place between two turns of the event loop. */
const PIECE_ITEMS = 1024;
/** Dead rows that a segment may hold beside as many as it has live ones. */
const SPARE_ROWS = 4096;

/** Native work runs on the device in scope; one batch at a time. */
export class Editor {
  #version: Version;
  #segment: FreshSegment;
  #rowOf = new Map<ItemId, number>();
  #stage = new Stage();
  #mark: ReturnType<FreshSegment['mark']>;
  /** Appended rows that the version shown does not have, or features that it shows otherwise. */
  #changed = false;
  #repacked = false;

  constructor(
    version: Version,
    private readonly maxFreshItems: number,
  ) {
    const { main } = version;
    this.#version = version;
    this.#segment = new FreshSegment(main.freshSizes, main.eligible);
    this.#mark = this.#segment.mark();
  }

  get version(): Version {
    return this.#version;
  }

  /** Bytes of the segment, and of the live bits of both. */
  get bytes(): number {
    const { fresh } = this.#version;
    const live = [fresh?.tensors.get('live'), fresh?.tensors.get('mainLive')];
    return live.reduce((sum, bits) => sum + (bits?.nbytes ?? 0), this.#segment.bytes);
  }

  /** Live rows in their order. */
  liveRows(): number[] {
    return [...this.#rowOf.values()].sort((a, b) => a - b);
  }

  get segment(): FreshSegment {
    return this.#segment;
  }

  /** Decides one update as a whole, or throws and changes nothing. Returns how many items it changes. */
  async stage(update: CheckedUpdate): Promise<number> {
    switch (update.type) {
      case 'upsert':
        return this.#upsert(update);
      case 'delete':
        return this.#delete(update.ids);
      case 'updateAttributes':
        return this.#updateAttributes(update.ids, update.attributes);
      case 'updateFeatures':
        return this.#updateFeatures(update);
    }
  }

  /** Items as they are, put in front of all updates: those of a model file. */
  async restore(items: readonly FreshItem[], fields: readonly FieldKind[]): Promise<void> {
    const known = this.#segment.filter.fields.length;
    for (const field of fields.slice(known)) this.#segment.filter.addField(field);
    await each(items, (item) => this.#append(item));
    this.#stage.added += items.length;
  }

  /** The version with all that was decided; nobody sees it before `show`. */
  build(): Version {
    const { main, number, mainItems } = this.#version;
    const fresh = this.#buildFresh();
    return new Version(number + 1, main, mainItems - this.#stage.gone.size, fresh, this.#version);
  }

  #buildFresh(): FreshVersion | undefined {
    const { main, fresh } = this.#version;
    // Features of main items are written in place; as long as nothing else changed, requests need no fresh segment.
    if (!fresh && !this.#changed && this.#stage.gone.size === 0) return undefined;
    const appended = this.#changed || fresh === undefined;
    const tensors = new Map(appended ? this.#segment.tensors() : fresh.tensors);
    const rows = tensors.get('rows')?.shape[0] as number;
    const used = Math.ceil(this.#segment.rows / WORD_ROWS) * WORD_ROWS;
    tensors.set('clusterBegin', tensor(Int32Array.of(0, used)) as Tensor);
    tensors.set('live', this.#freshLive(rows));
    tensors.set('mainLive', this.#mainLive());
    const segment = this.#segment; // a later version may have another one
    return {
      tensors,
      ids: this.#segment.ids,
      rowOf: this.#rowOf,
      items: this.#rowOf.size + this.#stage.added,
      schema: appended ? this.#segment.filter.schema() : fresh.schema,
      newFields: this.#segment.filter.fields.slice(main.eligible.manifest().fields.length),
      attributesOf: (row) => segment.attributesOf(row),
      storedOf: (row) => segment.storedOf(row),
      stores: segment.stores,
    };
  }

  /**
   * Makes a built version the current one. Features are written between two runs: those submitted before this call see the
   * old ones with the old version. The promise is that of the writing.
   */
  show(version: Version): Promise<void> {
    const written = this.#writeFeatures(version.fresh);
    const before = this.#version;
    this.#version = version;
    for (const [id, row] of this.#stage.places) {
      if (row === undefined) this.#rowOf.delete(id);
      else this.#rowOf.set(id, row);
    }
    this.#begin();
    this.#changed = false;
    this.#repacked = false;
    disposeUnshared(before, version);
    return written;
  }

  /** Forgets what was decided since the last version. */
  discard(): void {
    this.#segment.rollBack(this.#mark);
    this.#begin();
    this.#changed = true; // the tensors may have been outgrown
  }

  /** Drops dead rows once there are more than live ones. True when there is a version to build. */
  async repack(): Promise<boolean> {
    if (this.#segment.rows <= 2 * this.#rowOf.size + SPARE_ROWS) return false;
    const live = this.liveRows();
    const packed = await this.#segment.repacked(this.#version.main.eligible, live);
    this.#segment = packed;
    this.#rowOf = new Map(packed.ids.map((id, row) => [id, row]));
    this.#begin();
    this.#changed = true;
    this.#repacked = true;
    return true;
  }

  #begin(): void {
    this.#stage = new Stage();
    this.#mark = this.#segment.mark();
  }

  #place(id: ItemId): Place | undefined {
    const { places, gone } = this.#stage;
    const row = places.has(id) ? places.get(id) : this.#rowOf.get(id);
    if (row !== undefined) return { segment: 'fresh', row };
    if (places.has(id)) return undefined;
    const { main } = this.#version;
    const ordinal = main.ids.ordinalOf(id);
    if (ordinal === undefined || gone.has(ordinal)) return undefined;
    return isSet(this.#liveBytes(), main.rowOf[ordinal] as number) ? { segment: 'main', ordinal } : undefined;
  }

  #liveBytes(): Uint8Array {
    const { main, fresh } = this.#version;
    return bytesOf(fresh?.tensors.get('mainLive') ?? main.tensor('index.live'));
  }

  async #upsert(update: Upsert): Promise<number> {
    const { ids } = update;
    const attributes = this.#fit(update.attributes, ids);
    await this.#requireRoom(ids);
    this.#segment.filter.requireRoom(attributes);
    const { freshSizes: sizes, rotation, manifest } = this.#version.main;
    const { metric, dims } = manifest;
    if (ids.length === 0) return 0;
    const given = tensor(update.embeddings, { shape: [ids.length, dims] }) as Tensor;
    const { vectors, products } = await itemVectors(given, metric, rotation);
    const { quantized, scales } = await quantizeInt8(vectors);
    const order = Int32Array.from(ids, (_, item) => item);
    const prior = products ?? (sizes.biased ? update.bias : undefined);
    const bias = (await biasOf(quantized, scales, metric, prior, order))?.view() as Float32Array | undefined;
    const table = rerankRows(update.embeddings, sizes.embeddings?.dtype);
    const columnOf = this.#columnsOf(update.attributes);
    await each(ids, (id, i) => {
      const slice = <A extends { subarray(begin: number, end: number): A }>(view: A, width: number) =>
        view.subarray(i * width, (i + 1) * width);
      this.#replace(id, {
        id,
        row: slice(quantized.view(), sizes.paddedDims),
        scale: scales.view()[i] as number,
        bias: bias?.[i] ?? 0,
        features: slice(update.features, sizes.features),
        embedding: slice(table, sizes.embeddings ? dims : 0),
        attributes: withColumns([], columnOf, attributes, i),
        stored: update.stored[i] ?? '',
      });
    });
    return ids.length;
  }

  async #delete(ids: readonly ItemId[]): Promise<number> {
    let deleted = 0;
    await each(ids, (id) => {
      if (this.#place(id) === undefined) return;
      this.#remove(id);
      deleted++;
    });
    return deleted;
  }

  async #updateAttributes(ids: readonly ItemId[], columns: readonly UpdateColumn[]): Promise<number> {
    const fitted = this.#fit(columns, ids);
    const places: Place[] = [];
    await each(ids, (id, item) => places.push(this.#requirePlace(id, item)));
    await this.#requireRoom(ids);
    const items = await this.#items(places);
    this.#segment.filter.requireRoom([...fitted, ...items.map(({ attributes }) => attributes)]);
    const columnOf = this.#columnsOf(columns);
    await each(ids, (id, i) => {
      const item = items[i] as FreshItem;
      this.#replace(id, { ...item, attributes: withColumns(item.attributes, columnOf, fitted, i) });
    });
    return ids.length;
  }

  #updateFeatures({ ids, columns, values }: Extract<CheckedUpdate, { type: 'updateFeatures' }>): number {
    const places = ids.map((id, item) => this.#requirePlace(id, item));
    places.forEach((place, i) => {
      const features = this.#features(place);
      columns.forEach((column, c) => {
        features[column] = values[i * columns.length + c] as number;
      });
      if (place.segment === 'main') this.#stage.writes.main.set(place.ordinal, features);
      else if (place.row < this.#mark.rows) this.#stage.writes.fresh.set(place.row, features);
      else this.#segment.replaceFeatures(place.row, features);
    });
    return ids.length;
  }

  #requirePlace(id: ItemId, item: number): Place {
    const place = this.#place(id);
    if (place) return place;
    throw new SilverlodeError('INVALID_ARGUMENT', `ids[${item}]: the catalogue has no item ${String(id)}`, {
      item,
      id,
    });
  }

  async #requireRoom(ids: readonly ItemId[]): Promise<void> {
    let added = 0;
    await each(ids, (id) => {
      if (this.#place(id)?.segment !== 'fresh') added++;
    });
    const items = this.#rowOf.size + this.#stage.added + added;
    if (items <= this.maxFreshItems) return;
    throw new SilverlodeError(
      'LIMIT_EXCEEDED',
      `${items} fresh items are more than maxFreshItems (${this.maxFreshItems}); send fewer at once, call compact(), or load the model with a larger one`,
      { items: ids.length, freshItems: this.#rowOf.size, maxFreshItems: this.maxFreshItems },
    );
  }

  /** Values of columns in the types of their fields; columns of new fields in their own. */
  #fit(columns: readonly UpdateColumn[], ids: readonly ItemId[]): ItemValues[] {
    const known = new Map(this.#segment.filter.fields.map((field) => [field.name, field]));
    return columns.map((column) => {
      const field = known.get(column.name) ?? newField(column);
      return field ? fitValues(column, field, ids) : [];
    });
  }

  /** Adds the fields that are new; returns the column of every field, -1 for none. */
  #columnsOf(columns: readonly UpdateColumn[]): number[] {
    const { filter } = this.#segment;
    const known = new Set(filter.fields.map(({ name }) => name));
    for (const column of columns) {
      const field = known.has(column.name) ? undefined : newField(column);
      if (field) filter.addField(field);
    }
    return filter.fields.map(({ name }) => columns.findIndex((column) => column.name === name));
  }

  #replace(id: ItemId, item: FreshItem): void {
    this.#remove(id);
    this.#append(item);
    this.#stage.added++;
  }

  #append(item: FreshItem): void {
    this.#stage.places.set(item.id, this.#segment.append(item));
    this.#changed = true;
  }

  #remove(id: ItemId): void {
    const place = this.#place(id);
    if (place === undefined) return;
    if (place.segment === 'main') {
      this.#stage.gone.add(place.ordinal);
      this.#stage.writes.main.delete(place.ordinal);
    } else {
      this.#stage.writes.fresh.delete(place.row);
      this.#stage.added--;
    }
    this.#stage.places.set(id, undefined);
  }

  /** Items as they are, wherever they are. */
  async #items(places: readonly Place[]): Promise<FreshItem[]> {
    const ordinals = places.flatMap((place) => (place.segment === 'main' ? [place.ordinal] : []));
    const own = await readItems(this.#version.main, ordinals);
    const items: FreshItem[] = [];
    let next = 0;
    await each(places, (place) => {
      const item = place.segment === 'fresh' ? this.#segment.item(place.row) : (own[next++] as FreshItem);
      items.push({ ...item, features: this.#features(place) });
    });
    return items;
  }

  /** A copy. */
  #features(place: Place): Float32Array {
    const { main, fresh } = this.#stage.writes;
    const staged = place.segment === 'main' ? main.get(place.ordinal) : fresh.get(place.row);
    if (staged) return staged.slice();
    if (place.segment === 'fresh') return this.#segment.item(place.row).features;
    return readFeatures(this.#version.main, place.ordinal);
  }

  /** Of the version to be shown. */
  async #writeFeatures(fresh: FreshVersion | undefined): Promise<void> {
    const { main } = this.#version;
    const { writes } = this.#stage;
    const table = main.tensors.get('features');
    await Promise.all([
      writeRows(main.runner.device, table, writes.main, table && main.runner.copyOf(table)),
      writeRows(main.runner.device, fresh?.tensors.get('features'), writes.fresh),
    ]);
  }

  #freshLive(rows: number): Tensor {
    const live = Tensor.allocate('int64', [rows / 64]) as Tensor;
    const bytes = bytesOf(live);
    const shown = this.#version.fresh?.tensors.get('live');
    // After repacking the rows have new numbers, so that the bits shown say nothing.
    if (shown && !this.#repacked) bytes.set(bytesOf(shown));
    else for (const row of this.#rowOf.values()) setBit(bytes, row, true);
    for (const [id, row] of this.#stage.places) {
      const old = this.#rowOf.get(id);
      if (old !== undefined) setBit(bytes, old, false);
      if (row !== undefined) setBit(bytes, row, true);
    }
    return live;
  }

  #mainLive(): Tensor {
    const { main, fresh } = this.#version;
    const shown = fresh?.tensors.get('mainLive');
    if (shown && this.#stage.gone.size === 0) return shown;
    const live = Tensor.allocate('int64', main.tensor('index.live').shape) as Tensor;
    const bytes = bytesOf(live);
    bytes.set(this.#liveBytes());
    for (const ordinal of this.#stage.gone) setBit(bytes, main.rowOf[ordinal] as number, false);
    return live;
  }
}

/** Calls `work` for every entry and lets the event loop run now and then. */
function each<T>(list: readonly T[], work: (entry: T, i: number) => void): Promise<void> {
  const piece = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) work(list[i] as T, i);
  };
  return inPieces(list.length, piece, PIECE_ITEMS);
}

function rerankRows(embeddings: Float32Array, dtype: 'float16' | 'float32' | undefined): Float32Array | Uint16Array {
  return dtype === 'float16' ? Uint16Array.from(embeddings, floatToFloat16) : embeddings;
}

/** Runs in flight keep what they read; nobody else does. */
function disposeUnshared(before: Version, after: Version): void {
  const kept = new Set(after.fresh?.tensors.values());
  for (const tensor of before.fresh?.tensors.values() ?? []) if (!kept.has(tensor)) tensor.dispose();
}
