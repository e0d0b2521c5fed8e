// The two sides as running processes: Silverlode in one, the services in four.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { decodeBinaryResult, encodeBinaryRequest } from 'silverlode/serve';
import { PYTHON, pythonScript } from './environment.js';
import type { TaskRequest, TaskSize } from './task.js';

/** A running side. */
export interface Side {
  name: string;
  port: number;
  /** Its processes by what they do. */
  pids: Readonly<Record<string, number>>;
  /** A request whose search looks at so many clusters: path, content type and body. */
  request: (request: TaskRequest, probes: number) => SideRequest;
  /** The items of an answer, best first. */
  items: (body: Buffer) => number[];
  stop: () => Promise<void>;
}

export interface SideRequest {
  path: string;
  type: string;
  body: Uint8Array;
}

const SILVERLODE_BINARY = 'application/x-silverlode';

/** `silverlode serve`, as a user would start it; bodies in its binary form. */
export async function startSilverlode(
  path: string,
  { k, candidates }: TaskSize,
  filters: readonly string[],
  threads: number,
): Promise<Side> {
  const root = fileURLToPath(import.meta.resolve('silverlode/package.json'));
  const main = root.replace('package.json', 'dist/cli/main.js');
  const args = [main, 'serve', path, '--port', '0', '--json', '--log-level', 'error'];
  if (threads > 0) args.push('--threads', String(threads));
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const { url, models } = await firstLine<{ url: string; models: string[] }>(child);
  return {
    name: 'silverlode',
    port: Number(new URL(url).port),
    pids: { server: child.pid as number },
    request: ({ features, filter }, probes) => {
      const head = { inputs: { features: features.length }, filter: filters[filter], k, candidates, probes };
      const body = encodeBinaryRequest(head, features);
      return { path: `/v1/models/${models[0]}/retrieve`, type: SILVERLODE_BINARY, body };
    },
    items: (body) => Array.from(decodeBinaryResult(new Uint8Array(body).buffer).ids, Number),
    stop: () => stop(child),
  };
}

/** Tower, search and reranker in a process each, and one that ties them together. */
export async function startServices(folder: string, { dims, candidates, k }: TaskSize, threads: number): Promise<Side> {
  const children = new Map<string, ChildProcess>();
  const stopAll = async () => {
    for (const child of children.values()) await stop(child);
  };
  const start = async (name: string, child: ChildProcess, port: Promise<{ port: number }>) => {
    children.set(name, child);
    return String((await port).port);
  };
  const part = (name: string, ...args: string[]) => {
    const child = fork(fileURLToPath(new URL(`funnel/${name}.js`, import.meta.url)), args);
    return start(name, child, firstMessage(child));
  };
  const search = () => {
    const child = spawn(PYTHON, [pythonScript('ann.py'), folder, String(threads || availableParallelism())], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return start('search', child, firstLine(child));
  };
  try {
    const ports = [part('tower', folder, String(dims)), search(), part('rerank', folder, String(dims))];
    const port = await part('front', ...(await Promise.all(ports)));
    return {
      name: 'services',
      port: Number(port),
      pids: Object.fromEntries([...children].map(([name, { pid }]) => [name, pid as number])),
      request: ({ features, filter }, probes) => ({
        path: `/recommend?filter=${filter}&candidates=${candidates}&probes=${probes}`,
        type: 'application/octet-stream',
        body: new Uint8Array(features.buffer as ArrayBuffer, features.byteOffset, features.byteLength),
      }),
      // int64 ids, then float32 values.
      items: (body) => Array.from({ length: k }, (_, i) => Number(body.readBigInt64LE(8 * i))),
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** The whole request as it goes over the wire. */
export function httpRequest({ path, type, body }: SideRequest): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    `content-type: ${type}`,
    `accept: ${type}`,
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

/** What a process says first, one JSON document. */
async function firstLine<T>(child: ChildProcess): Promise<T> {
  const [line] = await orExit(child, once(child.stdout as NodeJS.ReadableStream, 'data'));
  return JSON.parse(String(line));
}

/** The same over the channel of a forked process. */
async function firstMessage(child: ChildProcess): Promise<{ port: number }> {
  const [message] = await orExit(child, once(child, 'message'));
  return message;
}

/** A process that ends before it is ready would be waited for in vain. */
function orExit<T>(child: ChildProcess, ready: Promise<T>): Promise<T> {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.slice(0, 3).join(' ')} ended with ${code} before it was ready`);
  });
  return Promise.race([ready, exited]);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}
