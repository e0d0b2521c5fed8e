// A version held still, while later ones are made: what saving and folding read.

import type { FieldKind, ItemValues } from '../../index/growing_filter.js';
import { concat } from '../../ops/concat.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { StoredText } from '../stored.js';
import type { ItemId } from '../types.js';
import type { Version } from '../version.js';
import type { Editor } from './editor.js';

/** Handles of its own on everything, so that nothing that happens later touches it. */
export interface Capture {
  readonly version: Version;
  /** Tensors of the main segment, with this version's live bits and features. */
  readonly main: Map<string, Tensor>;
  /** Tensors of the fresh segment; none without one. */
  readonly fresh: Map<string, Tensor>;
  /** Fresh items in their order: row, id, attributes. */
  readonly rows: Int32Array;
  readonly ids: readonly ItemId[];
  readonly attributes: readonly ItemValues[];
  readonly stored: readonly StoredText[];
  /** All fields, those of the main segment first. */
  readonly fields: readonly FieldKind[];
}

/** Called while no update is under way. */
export async function capture(editor: Editor): Promise<Capture> {
  const { version, segment } = editor;
  const own = (tensors: Iterable<readonly [string, Tensor]>) =>
    new Map(Array.from(tensors, ([name, tensor]) => [name, tensor.reshape(tensor.shape)]));
  const main = own(version.main.tensors);
  const fresh = own(version.fresh?.tensors ?? []);
  const live = fresh.get('mainLive');
  if (live) replace(main, 'index.live', live.reshape(live.shape));
  // Features are written in place between runs, so a copy is all that stays.
  for (const tensors of [main, fresh]) {
    const features = tensors.get('features');
    if (features) replace(tensors, 'features', await concat([features]));
  }
  const rows = Int32Array.from(editor.liveRows());
  const items = Array.from(rows, (row) => ({
    id: segment.ids[row] as ItemId,
    attributes: segment.attributesOf(row),
    stored: segment.storedOf(row),
  }));
  return {
    version,
    main,
    fresh,
    rows,
    ids: items.map(({ id }) => id),
    attributes: items.map(({ attributes }) => attributes),
    stored: items.map(({ stored }) => stored),
    fields: [...segment.filter.fields],
  };
}

/** Gives the handles back. */
export function releaseCapture({ main, fresh }: Capture): void {
  for (const tensor of [...main.values(), ...fresh.values()]) tensor.dispose();
}

function replace(tensors: Map<string, Tensor>, name: string, tensor: Tensor): void {
  tensors.get(name)?.dispose();
  tensors.set(name, tensor);
}
