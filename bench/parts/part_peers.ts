// Other libraries that do one part of the work, each in a process of its own (peers/parts.py).
import { join } from 'node:path';
import { EngineProcess } from '../peers/engine_process.js';
import { type Installed, installParts } from '../peers/install.js';
import type { Times } from '../peers/protocol.js';
import { compiled } from './compiled.js';
import type { Side } from './turns.js';

interface PartCommands {
  prepare: object;
  run: object & { repeat: number };
}

interface PartReplies {
  /** `bytes` of its index, where there is one. */
  prepare: { about: string; bytes?: number };
  run: Times & { result: number[] };
}

/** Building bitmaps of ten million items takes a while. */
const PREPARE_SECONDS = 600;

/** A library at one part of the work. */
export class PartPeer {
  /** What the last run found. */
  result: number[] = [];

  private constructor(
    readonly name: string,
    private readonly engine: EngineProcess<PartCommands, PartReplies>,
    readonly about: string,
    readonly bytes: number | undefined,
  ) {}

  static async start(host: PartHost, name: string, side: string, threads: number, prepare: object): Promise<PartPeer> {
    const { part, python, native } = host;
    const config = JSON.stringify({ part, side, native, threads });
    const engine = new EngineProcess<PartCommands, PartReplies>(name, {
      file: python,
      args: [join('bench', 'peers', 'parts.py'), config],
    });
    try {
      const { about, bytes } = await engine.ask('prepare', prepare, PREPARE_SECONDS);
      return new PartPeer(name, engine, about, bytes);
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  /** One kind of work as a side; each run leaves its result. */
  side(work: object, name = this.name): Side {
    return {
      name,
      run: async (repeat) => {
        const { result, ...times } = await this.engine.ask('run', { ...work, repeat });
        this.result = result;
        return times;
      },
    };
  }

  stop(): Promise<void> {
    return this.engine.stop();
  }
}

/** What peers of a part are started with. */
export interface PartHost {
  part: 'filter' | 'topk' | 'rerank';
  python: string;
  /** The library of `peers/native/parts.cpp`. */
  native: string;
}

/**
 * Installs what the peers of a part need, unless it is there.
 *
 * @throws Error that says what is missing and why.
 */
export async function partHost(part: PartHost['part'], again: boolean): Promise<PartHost> {
  const { python, missing }: Installed = await installParts(again, part === 'rerank');
  if (missing.size > 0) {
    const reasons = [...missing].map(([name, reason]) => `${name}: ${reason}`).join('; ');
    throw new Error(`--peers needs Python packages that could not be installed into build/peers: ${reasons}`);
  }
  const native = await compiled('bench/peers/native/parts.cpp', ['-march=native', '-shared', '-fPIC']);
  return { part, python, native };
}
