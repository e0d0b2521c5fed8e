import { mkdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { basename, extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SilverlodeError } from '../../errors.js';
import { createService } from '../../serve/http/service.js';
import { drain, untilSignal } from '../../serve/http/shutdown.js';
import type { ModelFile } from '../../serve/hub_options.js';
import { ModelHub } from '../../serve/model_hub.js';
import { requireServicePeers } from '../../serve/peers.js';
import { watchDirectory } from '../../serve/watch_directory.js';
import { openFeed } from '../feed.js';
import type { Output } from '../output.js';

/** Options of every command that answers over HTTP. */
export interface HttpFlags {
  port: number;
  host: string;
  token?: string;
  tokenFile?: string;
  tlsKey?: string;
  tlsCert?: string;
  maxBatch?: number;
  maxDelayUs?: number;
  maxQueue?: number;
  deadlineMs?: number;
  graceMs: number;
  drainMs: number;
  changes: boolean;
  page: boolean;
  logLevel: string;
}

/** Options of `silverlode serve`. */
export interface ServeFlags extends HttpFlags {
  device?: string;
  threads?: number;
  verify: boolean;
  watch?: string;
  journal?: string;
  follow?: string;
  maxFreshItems?: number;
  compaction: boolean;
  freshShare?: number;
  freshCost?: number;
  idleMs?: number;
  updateWaitMs?: number;
}

/** Models that come while the service runs. */
interface Watching {
  source: AsyncIterable<ModelFile> | undefined;
  controller: AbortController;
}

/** What models may take to close, after the last answer. */
const EXIT_MS = 1000;
const LATE = Symbol();

/** Serves models until SIGTERM or SIGINT, then answers what is in flight. */
export async function runServe(paths: readonly string[], flags: ServeFlags, output: Output): Promise<void> {
  const names = paths.map(modelName);
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated !== undefined)
    throw new SilverlodeError('INVALID_ARGUMENT', `two of the models are called '${repeated}'`, { model: repeated });
  const { device, threads, verify, maxBatch, maxDelayUs, maxQueue, maxFreshItems } = flags;
  const feed = flags.follow === undefined ? undefined : await openFeed(flags.follow);
  const hub = new ModelHub({
    load: { device, threads, verify, maxFreshItems, compaction: compactionOf(flags) },
    ...(flags.journal === undefined ? {} : { journal: { folder: await makeFolder(flags.journal) } }),
    follow: feed?.follow,
    batching: { maxBatch, maxDelayMicroseconds: maxDelayUs, maxQueue },
  });
  const watching = new AbortController();
  const stopped = untilSignal();
  try {
    await requireServicePeers();
    for (const [i, path] of paths.entries()) await hub.load(names[i] as string, path);
    const source = flags.watch === undefined ? undefined : watchDirectory(flags.watch, { signal: watching.signal });
    const warning =
      flags.changes && flags.journal === undefined
        ? 'without --journal item updates live in memory alone and are lost with the process'
        : undefined;
    await answerOverHttp(hub, flags, output, stopped, { warning, watching: { source, controller: watching } });
  } finally {
    watching.abort();
    await hub.close();
    await feed?.close();
  }
}

/** Listens until `stopped` settles, then answers what is in flight. */
export async function answerOverHttp(
  hub: ModelHub,
  flags: HttpFlags,
  output: Output,
  stopped: Promise<unknown>,
  { warning, watching }: { warning?: string | undefined; watching?: Watching } = {},
): Promise<void> {
  const app = await createService(hub, await serviceOptions(flags));
  if (warning !== undefined) app.log.warn(warning);
  const watched = watching?.source && hub.watch(watching.source);
  try {
    await app.listen({ port: flags.port, host: flags.host });
  } catch (error) {
    const { message } = error as Error;
    throw new SilverlodeError('IO_ERROR', `cannot listen: ${message}`, {}, { cause: error });
  }
  const url = addressOf(app.server.address() as AddressInfo, flags.tlsKey !== undefined);
  output.result({ url, models: hub.names }, () => `serving ${hub.names.join(', ') || 'no model yet'} at ${url}`);
  await stopped;
  watching?.controller.abort();
  const { graceMs, drainMs } = flags;
  const ended = drain(app, hub, { graceMs }).then(() => watched);
  // A model that is being loaded, or a run that cannot stop, is left alone: nobody waits for it any more.
  if ((await Promise.race([ended, delay(graceMs + drainMs + EXIT_MS, LATE, { ref: false })])) === LATE) process.exit(0);
}

/** @throws SilverlodeError `IO_ERROR`. */
async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true }).catch((cause: Error) => {
    throw new SilverlodeError('IO_ERROR', cause.message, { path }, { cause });
  });
  return path;
}

function compactionOf({ compaction, freshShare, freshCost, idleMs, updateWaitMs: waitMs }: ServeFlags) {
  return compaction && { freshShare, freshCost, idleMs, waitMs };
}

/** `/models/books.silverlode` is `books`. */
export function modelName(path: string): string {
  return basename(path, extname(path));
}

async function serviceOptions(flags: HttpFlags) {
  const { tokenFile, tlsKey, tlsCert, deadlineMs, drainMs, changes, page, logLevel } = flags;
  const token = tokenFile === undefined ? flags.token : (await readText(tokenFile)).trim();
  const tls = tlsKey && tlsCert ? { key: await readText(tlsKey), cert: await readText(tlsCert) } : undefined;
  // Logs are for stderr: stdout has the one document of --json.
  const logger = logLevel === 'silent' ? false : { level: logLevel, stream: process.stderr };
  return { token, tls, deadlineMs, drainMs, changes, page, logger };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SilverlodeError('IO_ERROR', (error as Error).message, { path }, { cause: error });
  }
}

function addressOf({ address, family, port }: AddressInfo, isSecure: boolean): string {
  return `${isSecure ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
