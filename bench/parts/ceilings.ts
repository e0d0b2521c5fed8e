// What the machine gives at best, measured by a small C++ program in the same schedule as what is held against it.
import { devices } from 'silverlode';
import { EngineProcess } from '../peers/engine_process.js';
import type { Times } from '../peers/protocol.js';
import { compiled } from './compiled.js';
import { type Side, takeTurns } from './turns.js';

/** `int8`: multiplications and additions of int8 numbers; `float32`: fused ones of float32; `read`: bytes of a buffer beyond the caches. */
export type Ceiling = 'int8' | 'float32' | 'read';

interface CeilingCommands {
  run: { what: Ceiling; threads: number; repeat: number };
}

interface CeilingReplies {
  /** `amount`: operations or bytes. */
  run: Times & { amount: number };
}

/** The ceilings of this machine; a repeat of a side is some milliseconds of work. */
export class Ceilings {
  readonly #engine: EngineProcess<CeilingCommands, CeilingReplies>;
  readonly #amounts = new Map<string, number>();

  private constructor(program: string) {
    this.#engine = new EngineProcess('ceilings', { file: program, args: [] });
  }

  /** @throws Error where there is no compiler. */
  static async start(): Promise<Ceilings> {
    const simd = devices().find(({ id }) => id === 'cpu')?.simd;
    const level = simd === 'avx2' ? '-march=x86-64-v3' : '-march=native';
    return new Ceilings(await compiled('bench/parts/ceilings.cpp', [level, '-pthread']));
  }

  side(what: Ceiling, threads: number): Side {
    const name = sideName(what, threads);
    return {
      name,
      run: async (repeat) => {
        const { amount, ...times } = await this.#engine.ask('run', { what, threads, repeat });
        this.#amounts.set(name, amount / repeat);
        return times;
      },
    };
  }

  /** Operations or bytes per second, from what `takeTurns` gave. */
  rate(what: Ceiling, threads: number, taken: ReadonlyMap<string, { medianMs: number }>): number {
    const name = sideName(what, threads);
    const { medianMs } = taken.get(name) as { medianMs: number };
    return (1000 * (this.#amounts.get(name) as number)) / medianMs;
  }

  /** The rate alone, where nothing runs in turn with it. */
  async measure(what: Ceiling, threads: number): Promise<number> {
    return this.rate(what, threads, await takeTurns([this.side(what, threads)], { seconds: 0.02, rounds: 5 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.stop();
  }
}

const sideName = (what: Ceiling, threads: number): string => `ceiling ${what}, ${threads}`;
