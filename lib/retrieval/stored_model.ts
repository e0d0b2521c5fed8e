// A model as a file: what loading reads of it, and how it is written.
import type { NativeDevice } from '../native/addon.js';
import { onOwnDevice } from '../native/device.js';
import { readModelFile, writeModelFile } from '../snapshot/model_file.js';
import type { Catalogue } from './catalogue.js';
import { releaseCapture } from './fresh/capture.js';
import { fromSaved, toSaved } from './fresh/saved.js';
import { CatalogueIds } from './item_ids.js';
import { type ModelParts, requireTensor } from './main_segment.js';
import { parseManifest } from './manifest.js';

type Saved = Awaited<ReturnType<typeof fromSaved>>['saved'];

/**
 * Reads the published part of a model and what updates had brought when it was saved.
 *
 * @throws SilverlodeError `IO_ERROR`, `CORRUPT_FILE`, `UNSUPPORTED_VERSION`.
 */
export async function readModel(
  device: NativeDevice,
  path: string,
  verify: boolean,
): Promise<{ parts: ModelParts; saved: Saved }> {
  const all = await readModelFile(device, path, verify);
  const manifest = parseManifest(requireTensor(all, 'manifest').view() as Uint8Array);
  const { tensors, saved } = await fromSaved(manifest, all);
  const ids = CatalogueIds.restore(manifest.ids, tensors, manifest.items);
  await ids.index(); // files of earlier versions have no table
  for (const [name, each] of ids.tensors) tensors.set(name, each);
  return { parts: { manifest, tensors, ids }, saved };
}

/**
 * Writes what the catalogue shows now.
 *
 * @param trimJournal Then drops the journal's records that the file holds.
 * @throws SilverlodeError `IO_ERROR`, `ABORTED`.
 */
export async function writeModel(
  catalogue: Catalogue,
  path: string,
  { signal, trimJournal = false }: { signal?: AbortSignal; trimJournal?: boolean },
): Promise<void> {
  const { captured, ...place } = await catalogue.capture();
  try {
    await onOwnDevice(async (device) => {
      const { tensors, manifest } = await toSaved(captured, place);
      const json = new TextEncoder().encode(JSON.stringify(manifest));
      await writeModelFile(device, path, tensors, json, signal);
    });
  } finally {
    releaseCapture(captured);
  }
  if (trimJournal) await catalogue.trimJournal(place.journal);
}
