// New model files in a NATS object store, as a source for ModelHub.watch. Needs `@nats-io/obj`.
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { SilverlodeError } from '../errors.js';
import { asError } from '../retrieval/results.js';
import { MODEL_NAME, type ModelFile } from './hub_options.js';
import { importPeer } from './peers.js';

/** Options of {@link watchObjectStore}. */
export interface ObjectStoreOptions {
  /** An open connection; it stays open. */
  connection: NatsConnection;
  /** The bucket; it must exist. */
  bucket: string;
  /** Where files are kept while they are served: `FOLDER/NAME/LABEL.silverlode`. */
  folder: string;
  /** Ends the watch. */
  signal?: AbortSignal;
  /** Files kept per name, for rollback; default 3. */
  keep?: number;
  /** Called for an object that could not be fetched, or is no model; default: nothing. */
  onError?: (object: string, error: SilverlodeError) => void;
}

const EXTENSION = /\.(silverlode|safetensors)$/;

/**
 * Finds model files in an object store, now and whenever an object is put: an object `books` or `books.silverlode` is the model
 * `books`, and `shop/books.silverlode` the model `shop.books`: names of models have no folders. What cannot be a model's name, and
 * a name that two objects have, is told to `onError`. Data is checked against the store's SHA-256 digest and lands in its place by renaming. Labels are the times of the
 * objects, so that the last one is the latest.
 *
 * @throws SilverlodeError `IO_ERROR` when the bucket cannot be opened, `INVALID_ARGUMENT` when `@nats-io/obj` is not installed.
 * @example
 * ```ts
 * const connection = await connect({ servers: 'nats://127.0.0.1:4222' });
 * void hub.watch(watchObjectStore({ connection, bucket: 'models', folder: '/var/cache/models', signal }));
 * ```
 */
export async function* watchObjectStore(options: ObjectStoreOptions): AsyncGenerator<ModelFile> {
  const { connection, bucket, signal, keep = 3, onError } = options;
  const { Objm } = await importPeer<typeof import('@nats-io/obj')>('@nats-io/obj');
  const store = await new Objm(connection).open(bucket).catch((error: Error) => {
    throw new SilverlodeError('IO_ERROR', `object store '${bucket}': ${error.message}`, { bucket }, { cause: error });
  });
  const objects = await store.watch({ ignoreDeletes: true, includeHistory: true });
  const stop = () => objects.stop();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const owners = new Map<string, string>();
  try {
    for await (const object of objects) {
      const name = object.name.replace(EXTENSION, '').replaceAll('/', '.');
      const owner = owners.get(name) ?? object.name;
      if (!MODEL_NAME.test(name) || owner !== object.name) {
        const reason = MODEL_NAME.test(name)
          ? `'${owner}' is the model '${name}' already`
          : 'its name can be that of no model';
        onError?.(object.name, new SilverlodeError('INVALID_ARGUMENT', `object '${object.name}': ${reason}`));
        continue;
      }
      owners.set(name, owner);
      const folder = join(options.folder, name);
      const label = object.mtime.replace(/[^0-9TZ]/g, '');
      try {
        const data = await store.get(object.name);
        if (data === null) continue; // deleted meanwhile
        const path = await keepFile(folder, label, data);
        yield { name, path, label };
        await dropOld(folder, keep);
      } catch (error) {
        onError?.(object.name, asError(error));
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    objects.stop();
  }
}

/** Writes an object's data; a part that is not whole leaves nothing behind. */
async function keepFile(
  folder: string,
  label: string,
  { data, error }: { data: ReadableStream<Uint8Array>; error: Promise<Error | null> },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${label}.silverlode`);
  const part = join(folder, `.${label}.part`);
  try {
    await pipeline(Readable.fromWeb(data as Parameters<typeof Readable.fromWeb>[0]), createWriteStream(part));
    const failed = await error;
    if (failed) throw failed;
    await rename(part, path);
    return path;
  } catch (failed) {
    await rm(part, { force: true });
    const { message } = failed as Error;
    throw new SilverlodeError('IO_ERROR', `object '${label}' was not fetched: ${message}`, {}, { cause: failed });
  }
}

/** Only the latest files stay. */
async function dropOld(folder: string, keep: number): Promise<void> {
  const files = (await readdir(folder)).filter((file) => EXTENSION.test(file) && !file.startsWith('.')).sort();
  for (const file of files.slice(0, -keep)) await rm(join(folder, file), { force: true });
}
