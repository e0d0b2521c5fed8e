// New model files in a folder, as a source for ModelHub.watch.
import { type Dirent, type Stats, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MODEL_NAME, type ModelFile } from './hub_options.js';

/** Options of {@link watchDirectory}. */
export interface WatchOptions {
  /** Ends the watch. */
  signal?: AbortSignal;
  /** How often to look, in milliseconds, beside what the file system tells by itself; default 1000. */
  intervalMs?: number;
}

const EXTENSION = /\.(silverlode|safetensors)$/;

/**
 * Finds model files in a folder, now and whenever they change: `NAME.silverlode`, or `NAME/LABEL.silverlode`, where the last
 * label in natural order (`v9` before `v10`) counts. `.safetensors` is understood too; names with a leading dot are left alone.
 *
 * Put files there by renaming. A file that is copied in is found half written, refused, and found again when it has grown.
 * A file that goes away leaves its model in service, or the last label that is still there.
 *
 * @example
 * ```ts
 * void hub.watch(watchDirectory('/var/models', { signal }));
 * ```
 */
export async function* watchDirectory(folder: string, options: WatchOptions = {}): AsyncGenerator<ModelFile> {
  const { signal, intervalMs = 1000 } = options;
  const seen = new Map<string, string>();
  const changes = new Changes(folder, intervalMs, signal);
  try {
    while (!signal?.aborted) {
      for (const [name, { path, label }] of await modelFiles(folder)) {
        const facts = await factsOf(path);
        if (facts === undefined || !facts.isFile()) continue;
        const identity = `${path} ${facts.ino} ${facts.size} ${facts.mtimeMs}`;
        if (seen.get(name) === identity) continue;
        seen.set(name, identity);
        yield { name, path, label };
      }
      await changes.next();
    }
  } finally {
    changes.close();
  }
}

/** The file that counts for every name. */
async function modelFiles(folder: string): Promise<Map<string, { path: string; label?: string }>> {
  const found = new Map<string, { path: string; label?: string }>();
  for (const entry of await entriesOf(folder)) {
    const name = entry.name.replace(EXTENSION, '');
    if (!MODEL_NAME.test(name)) continue;
    if (EXTENSION.test(entry.name)) found.set(name, { path: join(folder, entry.name) });
    else if (!entry.isFile() && !found.has(name)) {
      // A folder, or a link to one; anything else has no entries.
      const labels = (await entriesOf(join(folder, name))).map((each) => each.name).filter(isLabel);
      const last = labels.sort(naturally).at(-1);
      if (last !== undefined)
        found.set(name, { path: join(folder, name, last), label: basename(last).replace(EXTENSION, '') });
    }
  }
  return found;
}

const isLabel = (name: string): boolean => EXTENSION.test(name) && !name.startsWith('.');
const naturally = new Intl.Collator('en', { numeric: true }).compare;

/** A folder that is not there (yet) is empty. */
function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

function factsOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

/** Waits for a change in a folder, for an interval, or for the signal, whichever is first. */
class Changes {
  #wake: () => void = () => undefined;
  #changed = false;
  readonly #watcher: { close(): void } | undefined;
  readonly #onChange = () => {
    this.#changed = true;
    this.#wake();
  };

  constructor(
    folder: string,
    private readonly intervalMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    signal?.addEventListener('abort', this.#onChange, { once: true });
    try {
      this.#watcher = watch(folder, { persistent: false }, this.#onChange).on('error', () => undefined);
    } catch {
      this.#watcher = undefined; // no folder, or no watches left: the interval does
    }
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.intervalMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#changed = false;
  }

  close(): void {
    this.#watcher?.close();
    this.signal?.removeEventListener('abort', this.#onChange);
  }
}
