// How long each stage of a publish took, from what it reports.
import type { ProgressEvent } from 'silverlode';

/** A report and when it came, in milliseconds. */
export interface TimedEvent extends Pick<ProgressEvent, 'stage' | 'done' | 'total'> {
  at: number;
}

/**
 * Milliseconds by stage, in the order in which stages began. Time belongs to the stage that was reported last; after a stage has
 * reported its end, to the one that follows, and at the very end to `rest`.
 */
export function stageTimes(events: readonly TimedEvent[], startedAt: number, endedAt: number): Map<string, number> {
  const times = new Map<string, number>();
  const add = (stage: string, ms: number) => times.set(stage, (times.get(stage) ?? 0) + ms);
  let running: string | undefined;
  let since = startedAt;
  for (const { stage, done, total, at } of events) {
    add(running ?? stage, at - since);
    running = done >= total && stage === (running ?? stage) ? undefined : stage;
    since = at;
  }
  add(running ?? 'rest', endedAt - since);
  return times;
}
