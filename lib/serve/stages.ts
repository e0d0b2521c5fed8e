// Latency per native stage, live: now and then a recent request is run once more, timed.
import type { StageProfile } from '../retrieval/stage_profile.js';
import type { RetrieveRequest } from '../retrieval/types.js';
import type { ModelHub } from './model_hub.js';

/** The stages of the last profiled request. */
export interface StageSample {
  version: number;
  /** ISO 8601. */
  at: string;
  stages: readonly StageProfile[];
}

/** Profiles each model's latest request at intervals, and only when there was a new one. */
export class StageSampler {
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #last = new Map<string, { request: RetrieveRequest; sample: StageSample }>();
  #running: Promise<void> = Promise.resolve();

  /**
   * @param everyMs 0: never.
   * @param onSample Gets every profile.
   */
  constructor(
    private readonly hub: ModelHub,
    everyMs: number,
    private readonly onSample: (name: string, stages: readonly StageProfile[]) => void,
  ) {
    if (everyMs > 0)
      this.#timer = setInterval(() => {
        this.#running = this.#running.then(() => this.sample());
      }, everyMs).unref();
  }

  latest(name: string): StageSample | undefined {
    return this.#last.get(name)?.sample;
  }

  /** Profiles what is new. A profile that fails is left out: its request failed or the version went away. */
  async sample(): Promise<void> {
    for (const name of this.hub.names) {
      const version = this.hub.current(name);
      const request = version?.latestSample;
      if (version === undefined || request === undefined || request === this.#last.get(name)?.request) continue;
      const stages = await version.model.profile([request]).catch(() => undefined);
      if (stages === undefined) continue;
      const sample = { version: version.info.version, at: new Date().toISOString(), stages };
      this.#last.set(name, { request, sample });
      this.onSample(name, stages);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }
}
