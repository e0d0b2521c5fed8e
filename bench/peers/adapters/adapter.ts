// What a library needs to be an engine that is written in JavaScript.

import type { LoadedSet } from '../../data/set_files.js';
import type { BuildCommand, ClusterCommand, OpenCommand, RunCommand } from '../protocol.js';

/** A search whose settings are fixed, so that only the library's own calls are timed. */
export interface Search<Answer> {
  /** Timed: asks queries `first` to `first + count`; `count` is 1 in mode `single`. */
  ask(first: number, count: number): Answer | Promise<Answer>;
  /** The ids of an answer, one list per query. */
  ids(answer: Answer): ArrayLike<number>[];
}

/** Work that is timed and what comes after it, which is not. */
export interface Timed<Result> {
  work(): Promise<void>;
  finish(): Promise<Result>;
}

/** One library. `load` comes before `search`; everything may be called more than once. */
export interface Adapter {
  /** Version and settings. */
  about(): string;
  build(set: LoadedSet, command: BuildCommand): Promise<void>;
  load(set: LoadedSet, command: BuildCommand): Promise<void>;
  search(run: RunCommand): Promise<Search<unknown>>;
  /** From files to the first answer; `finish` lets it go. */
  open?(set: LoadedSet, command: OpenCommand): Timed<void>;
  /** `finish` tells the cluster of each item. */
  cluster?(set: LoadedSet, command: ClusterCommand): Timed<Int32Array>;
}
