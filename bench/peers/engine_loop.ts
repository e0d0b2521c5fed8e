// Answers commands one after the other: what every JavaScript engine's process does.
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { readSet } from '../data/set_files.js';
import type { Adapter, Timed } from './adapters/adapter.js';
import type { CommandName, Commands, EngineCode, Ran, Replies, RunCommand, Times } from './protocol.js';

/** A command that cannot be followed, with the code to answer. */
class Refused extends Error {
  constructor(
    readonly code: EngineCode,
    message: string,
  ) {
    super(message);
  }
}

async function timed(work: () => Promise<void>): Promise<Times> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const wallSeconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { wallSeconds, cpuSeconds: (user + system) / 1e6 };
}

async function timedWork<Result>({ work, finish }: Timed<Result>): Promise<Times & { result: Result }> {
  const times = await timed(work);
  return { ...times, result: await finish() };
}

async function run(adapter: Adapter, command: RunCommand): Promise<Ran> {
  const { batch, queries, k, idsFile } = command;
  const search = await adapter.search(command);
  const calls: number[] = [];
  const answers: unknown[] = [];
  await search.ask(0, 1); // brings the settings into effect
  const times = await timed(async () => {
    for (let first = 0; first < queries; first += batch) {
      const started = performance.now();
      const answer = await search.ask(first, Math.min(batch, queries - first));
      calls.push(performance.now() - started);
      if (idsFile !== undefined) answers.push(answer);
    }
  });
  if (idsFile !== undefined) {
    const ids = new Int32Array(queries * k).fill(-1);
    const lists = answers.flatMap((answer) => search.ids(answer));
    lists.forEach((list, query) => {
      ids.set(list, query * k);
    });
    await writeFile(idsFile, ids);
  }
  return { ...times, calls };
}

/** An engine's state between commands. */
class Engine {
  #prepared = false;

  constructor(private readonly adapter: Adapter) {}

  async follow(line: string): Promise<Replies[CommandName]> {
    const [name, command] = parse(line);
    switch (name) {
      case 'build':
        return this.#build(command as Commands['build']);
      case 'prepare':
        return this.#prepare(command as Commands['prepare']);
      case 'run':
        if (!this.#prepared) throw new Refused('NOT_PREPARED', 'run before prepare');
        return run(this.adapter, command as RunCommand);
      case 'open':
        return this.#open(command as Commands['open']);
      case 'cluster':
        return this.#cluster(command as Commands['cluster']);
      default:
        throw new Refused('BAD_COMMAND', `no command '${name}'; there are build, prepare, run, open, cluster`);
    }
  }

  async #build(command: Commands['build']): Promise<Replies['build']> {
    const set = await readSet(command.set, { rows: true });
    return { ...(await timed(() => this.adapter.build(set, command))), about: this.adapter.about() };
  }

  async #prepare(command: Commands['prepare']): Promise<Times> {
    const set = await readSet(command.set, { rows: false });
    const times = await timed(() => this.adapter.load(set, command));
    this.#prepared = true;
    return times;
  }

  async #open(command: Commands['open']): Promise<Times> {
    const set = await readSet(command.set, { rows: false });
    if (this.adapter.open === undefined) throw new Refused('BAD_COMMAND', 'this engine does not measure open');
    return timedWork(this.adapter.open(set, command));
  }

  async #cluster(command: Commands['cluster']): Promise<Times> {
    const set = await readSet(command.set, { rows: true });
    if (this.adapter.cluster === undefined) throw new Refused('BAD_COMMAND', 'this engine does not measure cluster');
    const { result, ...times } = await timedWork(this.adapter.cluster(set, command));
    await writeFile(command.assignmentsFile, result);
    return times;
  }
}

function parse(line: string): [string, unknown] {
  let command: unknown;
  try {
    command = JSON.parse(line);
  } catch (error) {
    throw new Refused('BAD_COMMAND', `not JSON: ${(error as Error).message}`);
  }
  const entries = command !== null && typeof command === 'object' ? Object.entries(command) : [];
  if (entries.length !== 1) throw new Refused('BAD_COMMAND', 'a command is an object with one key, its name');
  return entries[0] as [string, unknown];
}

/** Serves until the input ends. What a library throws is answered as `FAILED`, and the engine goes on. */
export async function serveEngine(adapter: Adapter, input: Readable, output: Writable): Promise<void> {
  const engine = new Engine(adapter);
  for await (const line of createInterface({ input })) {
    const reply = await engine.follow(line).then(
      (ok) => ({ ok }),
      (error: unknown) => ({
        error: {
          code: error instanceof Refused ? error.code : 'FAILED',
          message: error instanceof Error ? error.message : String(error),
        },
      }),
    );
    output.write(`${JSON.stringify(reply)}\n`);
  }
}
