// A model whose runs the test ends itself.
import type { RetrieveRequest, RetrieveResult, SilverlodeError } from 'silverlode';
import type { BatchModel } from '../../lib/serve/batcher.js';
import type { ModelFacts } from '../../lib/serve/served_model.js';

/** What a fake model says of itself. */
export const FACTS: ModelFacts = {
  bytes: 1,
  heads: null,
  ids: 'number',
  tasks: [],
  weights: [],
  tower: null,
  fields: [],
  candidates: null,
  columns: [],
};

/** What a fake request is answered with: its own k as the only id. */
export function answerTo({ k = 100 }: RetrieveRequest): RetrieveResult {
  const stats = { strategy: 'flat', probedClusters: 1, scannedRows: 1, eligibleRows: 1, doubtfulRows: 0 } as const;
  return { ids: [k], scores: Float32Array.of(1), stats: { ...stats, candidates: 1, exact: true } };
}

export interface FakeRun {
  requests: readonly RetrieveRequest[];
  signal: AbortSignal | undefined;
  /** Answers each request, with `answerTo` unless told otherwise. */
  end: (answers?: (RetrieveResult | SilverlodeError)[]) => void;
  fail: (error: Error) => void;
}

/** Keeps every run open until its `end`; like the real one, a run whose signal aborts fails at once. */
export class FakeModel implements BatchModel {
  readonly runs: FakeRun[] = [];
  #onRun: () => void = () => undefined;

  retrieve(requests: readonly RetrieveRequest[], { signal }: { signal?: AbortSignal } = {}) {
    return new Promise<(RetrieveResult | SilverlodeError)[]>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('the run was aborted')));
      this.runs.push({
        requests,
        signal,
        end: (answers) => resolve(answers ?? requests.map(answerTo)),
        fail: reject,
      });
      this.#onRun();
    });
  }

  /** Waits until so many runs have begun. */
  async started(count: number): Promise<FakeRun> {
    while (this.runs.length < count) {
      await new Promise<void>((resolve) => {
        this.#onRun = resolve;
      });
    }
    return this.runs[count - 1] as FakeRun;
  }
}

/** Lets everything run that is ready. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The code that a promise fails with; 'ok' when it does not. */
export function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
}
