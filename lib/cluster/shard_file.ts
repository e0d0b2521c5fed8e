// What a shard's file holds beside a model: the place of its items in the publish order of the whole catalogue.
import { join } from 'node:path';
import { SilverlodeError } from '../errors.js';
import { onOwnDevice } from '../native/device.js';
import { CatalogueIds } from '../retrieval/item_ids.js';
import { requireTensor } from '../retrieval/main_segment.js';
import { type Manifest, parseManifest, type ShardFacts } from '../retrieval/manifest.js';
import type { ItemId } from '../retrieval/types.js';
import { readModelFile } from '../snapshot/model_file.js';

/** Name of the tensor int32 [items]: publish order, in the whole catalogue, of the items of a shard. */
export const SHARD_ORDINALS = 'shard.ordinals';

/** File of a shard in its folder; `index` from 1. */
export function shardPath(folder: string, index: number, of: number): string {
  return join(folder, `shard-${index}-of-${of}.silverlode`);
}

/** Publish order by item. */
export interface ShardOrder {
  readonly shard: ShardFacts;
  readonly manifest: Manifest;
  /** Publish order of an item of this shard in the whole catalogue. */
  placeOf(id: ItemId): number;
}

/** Reads the order of a file whose checksums are checked elsewhere. @throws SilverlodeError `INVALID_ARGUMENT` for no shard. */
export function readShardOrder(path: string): Promise<ShardOrder> {
  return onOwnDevice(async (device) => {
    const tensors = await readModelFile(device, path, false);
    const manifest = parseManifest(requireTensor(tensors, 'manifest').view() as Uint8Array);
    const { shard } = manifest;
    if (shard === undefined)
      throw new SilverlodeError('INVALID_ARGUMENT', `${path} holds a whole catalogue, not a shard of one`, { path });
    const places = requireTensor(tensors, SHARD_ORDINALS).view() as Int32Array;
    const ids = CatalogueIds.restore(manifest.ids, tensors, manifest.items);
    await ids.index();
    if (places.length !== manifest.items)
      throw new SilverlodeError('CORRUPT_FILE', `${path}: '${SHARD_ORDINALS}' does not fit the items`, {
        tensor: SHARD_ORDINALS,
      });
    return { shard, manifest, placeOf: (id) => places[ids.ordinalOf(id) as number] as number };
  });
}
