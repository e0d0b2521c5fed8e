// The published part of a model: tensors, ids, filter index, and the native programs over them.
import { SilverlodeError } from '../errors.js';
import { FilterIndex } from '../index/filter_index.js';
import type { Rotation } from '../index/rotation.js';
import { RowValues } from '../index/row_values.js';
import type { NativeDevice } from '../native/addon.js';
import type { Tensor } from '../tensor/tensor.js';
import { BatchRunner } from './batch_runner.js';
import type { FreshSizes } from './fresh/fresh_segment.js';
import { freshShapeOf } from './fresh/inputs.js';
import { bytesOf, countSet } from './fresh/live_bits.js';
import type { CatalogueIds } from './item_ids.js';
import type { Manifest } from './manifest.js';
import type { RequestLimits } from './requests.js';
import { StoredItems } from './stored.js';

/** Everything a model is made of, from `publish` or from a file. */
export interface ModelParts {
  manifest: Manifest;
  tensors: Map<string, Tensor>;
  /** What its id tensors hold. */
  ids: CatalogueIds;
}

/** Immutable but for item features, which updates write between runs; replaced as a whole by compaction. */
export class MainSegment {
  readonly manifest: Manifest;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly ids: CatalogueIds;
  readonly eligible: FilterIndex;
  /** What is kept for display alone. */
  readonly stored: StoredItems | undefined;
  /** Attributes by row. */
  readonly values: RowValues;
  readonly runner: BatchRunner;
  /** Row of every ordinal. */
  readonly rowOf: Int32Array;
  #users = 1;

  constructor({ manifest, tensors, ids }: ModelParts, limits: RequestLimits, device: NativeDevice) {
    this.manifest = manifest;
    this.tensors = tensors;
    this.ids = ids;
    this.eligible = FilterIndex.restore(manifest.filter, withPrefix(tensors, 'eligible.'));
    this.values = new RowValues(this.eligible);
    this.stored = StoredItems.restore(tensors, ids.length);
    this.rowOf = this.tensor('index.rowOf').view() as Int32Array;
    this.runner = new BatchRunner(device, manifest, tensors, limits, this.rowBytes);
  }

  /** @throws SilverlodeError `CORRUPT_FILE` where there is none. */
  tensor(name: string): Tensor {
    return requireTensor(this.tensors, name);
  }

  /** Bytes of an index row. */
  get rowBytes(): number {
    return this.tensor('index.rows').shape[1] as number;
  }

  /** What items are centred by and rotated with, undefined in a model without it. */
  get rotation(): Rotation | undefined {
    const [mean, signs] = [this.tensors.get('index.mean'), this.tensors.get('index.signs')];
    return mean && signs && { mean, signs, aligned: this.manifest.rotation?.aligned ?? false };
  }

  get bytes(): number {
    return [...this.tensors.values()].reduce((sum, { nbytes }) => sum + nbytes, 0);
  }

  /** Live rows as published or loaded. */
  get liveItems(): number {
    return countSet(bytesOf(this.tensor('index.live')));
  }

  /** What a fresh segment beside this one is made of. */
  get freshSizes(): FreshSizes {
    const shape = freshShapeOf((name) => this.tensors.get(name));
    return { ...shape, items: this.ids.length, rows: this.tensor('index.rows').shape[0] as number };
  }

  /** Keeps the segment until `work` is done, also when another takes its place meanwhile. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  /** Frees the memory once nobody uses it. */
  release(): void {
    if (--this.#users > 0) return;
    this.runner.dispose();
    for (const tensor of this.tensors.values()) tensor.dispose();
  }
}

export function requireTensor(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined)
    throw new SilverlodeError('CORRUPT_FILE', `the model has no tensor '${name}'`, { tensor: name });
  return tensor;
}

export function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  return new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );
}
