// The two sides as running processes: Silverlode in one, the funnel in four.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Module, nn, publish, type SymbolicTensor, type Tensor, type Tower, tensor } from 'silverlode';
import type { Layer } from './network.js';
import { type Task, VALUE } from './task.js';

/** A running side. */
export interface Side {
  url: string;
  /** The body of request i. */
  body: (i: number) => string;
  /** Its processes. */
  pids: readonly number[];
  stop: () => Promise<void>;
}

class UserTower extends Module implements Tower {
  readonly inputs;
  readonly layers: nn.Linear[];

  constructor(dims: number) {
    super();
    this.inputs = { features: { dtype: 'float32', shape: ['batch', dims] } } as const;
    this.layers = [new nn.Linear(dims, 2 * dims, { activation: 'relu' }), new nn.Linear(2 * dims, dims)];
  }

  forward({ features }: { features: SymbolicTensor }): SymbolicTensor {
    return this.layers.reduce((x, layer, i) => nn.call(`layers.${i}`, layer, x), features);
  }
}

function stateOf(layers: readonly Layer[]): Map<string, Tensor> {
  return new Map(
    layers.flatMap(({ weight, bias, inputs, outputs }, i): [string, Tensor][] => [
      [`layers.${i}.weight`, tensor(weight, { shape: [outputs, inputs] })],
      [`layers.${i}.bias`, tensor(bias, { shape: [outputs] })],
    ]),
  );
}

/** Publishes the task as one model; how many clusters to look at is said by each request. */
export async function publishTask({ catalogue, tower, rerank, size }: Task, path: string): Promise<void> {
  const userTower = new UserTower(size.dims);
  userTower.loadStateDict(stateOf(tower));
  const overArch = new nn.OverArch({ dims: size.dims, hidden: [64, 32], tasks: ['click', 'like'] });
  overArch.loadStateDict(stateOf(rerank.layers));
  await using model = await publish({
    items: { ids: catalogue.ids, embeddings: catalogue.embeddings, attributes: { ...catalogue.attributes } },
    index: { clusters: Math.round(Math.sqrt(size.items)), probes: 1 },
    tower: userTower,
    rerank: overArch,
    rerankEmbeddings: 'float32',
    value: VALUE,
  });
  await model.save(path);
}

/** `silverlode serve`, as a user would start it. */
export async function startSilverlode(
  { requests, size }: Task,
  path: string,
  probes: number,
  flags: readonly string[] = [],
): Promise<Side> {
  const main = fileURLToPath(import.meta.resolve('silverlode/package.json')).replace(
    'package.json',
    'dist/cli/main.js',
  );
  const args = [main, 'serve', path, '--port', '0', '--json', '--log-level', 'error', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const { url, models } = JSON.parse(String(line));
  return {
    url: `${url}/v1/models/${models[0]}/retrieve`,
    body: (i) => {
      const { features, filter } = requests[i] as Task['requests'][number];
      const { k, candidates } = size;
      return JSON.stringify({ user: { features: Array.from(features) }, filter, k, candidates, probes });
    },
    pids: [child.pid as number],
    stop: () => stop(child),
  };
}

/** Tower, search and reranker in a process each, and one that ties them together. */
export async function startFunnel({ requests, size }: Task, expansion: number): Promise<Side> {
  const parts = await Promise.all([
    startPart('tower', JSON.stringify(size)),
    startPart('ann', JSON.stringify(size), String(expansion)),
    startPart('rerank', JSON.stringify(size)),
  ]);
  const front = await startPart('front', ...parts.map(({ port }) => String(port)), String(size.candidates));
  return {
    url: `http://127.0.0.1:${front.port}/recommend`,
    body: (i) => {
      const { features, filter } = requests[i] as Task['requests'][number];
      return JSON.stringify({ features: Array.from(features), filter });
    },
    pids: [front, ...parts].map(({ child }) => child.pid as number),
    stop: async () => {
      for (const { child } of [front, ...parts]) await stop(child);
    },
  };
}

async function startPart(name: string, ...args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL(`funnel/${name}.js`, import.meta.url)), args);
  const [{ port }] = await once(child, 'message');
  return { child, port };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill();
  await once(child, 'exit');
}
