// Changes that are decided but not visible yet.
import type { ItemId } from '../types.js';

/** Where an item's live version is. */
export type Place = { segment: 'fresh'; row: number } | { segment: 'main'; ordinal: number };

/** What a batch of updates changes on top of the current version. */
export class Stage {
  /** New fresh row of an item, undefined for one that is gone. */
  readonly places = new Map<ItemId, number | undefined>();
  /** Ordinals of main items that are replaced or deleted. */
  readonly gone = new Set<number>();
  /** Features of main items by ordinal, and of fresh ones by row. */
  readonly writes = { main: new Map<number, Float32Array>(), fresh: new Map<number, Float32Array>() };
  /** Fresh items that the batch adds, less those it removes. */
  added = 0;
}
