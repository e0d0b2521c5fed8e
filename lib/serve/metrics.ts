// Prometheus metrics of a service, in a registry of its own.
import type * as Prometheus from 'prom-client';
import { asError } from '../../retrieval/results.js';
import type { StageProfile } from '../../retrieval/stage_profile.js';
import type { RetrieveStats } from '../../retrieval/types.js';
import { BATCH_BOUNDS } from '../histogram.js';
import type { HubListeners } from '../hub_listeners.js';
import { freshnessOf } from '../item_updates.js';
import type { ModelHub } from '../model_hub.js';
import type { RequestTimes } from './context.js';

/** 50 µs to 5 s. */
const SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const ROWS = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

/** Counts what a service does. */
export class ServiceMetrics {
  readonly registry: Prometheus.Registry;
  /** To be called for the events of the hub. */
  readonly events: HubListeners;
  readonly #requests: Prometheus.Counter<'model' | 'code'>;
  readonly #latency: Prometheus.Histogram<'model' | 'stage'>;
  readonly #native: Prometheus.Histogram<'model' | 'stage'>;
  readonly #updates: Prometheus.Histogram<'model' | 'kind'>;
  readonly #scanned: Prometheus.Histogram<'model'>;

  constructor({ Registry, Counter, Histogram, Gauge, collectDefaultMetrics }: typeof Prometheus, hub: ModelHub) {
    const registry = new Registry();
    const registers = [registry];
    this.registry = registry;
    this.#requests = new Counter({
      name: 'silverlode_requests_total',
      help: 'Retrieve requests by outcome: ok or an error code.',
      labelNames: ['model', 'code'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'silverlode_request_seconds',
      help: 'Time of answered requests: waiting in the queue, and the run.',
      labelNames: ['model', 'stage'],
      buckets: SECONDS,
      registers,
    });
    this.#native = new Histogram({
      name: 'silverlode_stage_seconds',
      help: 'Time of native stages, from requests that are profiled at intervals.',
      labelNames: ['model', 'stage'],
      buckets: SECONDS,
      registers,
    });
    this.#updates = new Histogram({
      name: 'silverlode_update_seconds',
      help: 'Lag of item updates: from their arrival until every later request sees them.',
      labelNames: ['model', 'kind'],
      buckets: SECONDS,
      registers,
    });
    this.#scanned = new Histogram({
      name: 'silverlode_scanned_rows',
      help: 'Index rows scored per request.',
      labelNames: ['model'],
      buckets: ROWS,
      registers,
    });
    const batches = new Histogram({
      name: 'silverlode_batch_size',
      help: 'Requests per native run.',
      labelNames: ['model'],
      buckets: [...BATCH_BOUNDS],
      registers,
    });
    const swaps = new Counter({
      name: 'silverlode_versions_total',
      help: 'Model versions that were taken or refused.',
      labelNames: ['model', 'outcome'],
      registers,
    });
    this.events = {
      run: (model, { size }) => batches.observe({ model }, size),
      version: ({ name }) => swaps.inc({ model: name, outcome: 'taken' }),
      refused: ({ name }) => swaps.inc({ model: name, outcome: 'refused' }),
    };

    const gauge = (name: string, help: string, read: (model: string) => number | undefined) =>
      new Gauge({
        name,
        help,
        labelNames: ['model'],
        registers,
        collect() {
          this.reset();
          for (const model of hub.names) {
            const value = read(model);
            if (value !== undefined) this.set({ model }, value);
          }
        },
      });
    gauge('silverlode_queue_depth', 'Requests that wait for a run.', (model) => batching(hub, model)?.queued);
    gauge('silverlode_runs_in_flight', 'Native runs in flight.', (model) => batching(hub, model)?.running);
    gauge('silverlode_model_version', 'The version that serves.', (model) => hub.current(model)?.info.version);
    gauge('silverlode_model_items', 'Items in the catalogue.', (model) => hub.current(model)?.model.items);
    gauge('silverlode_model_bytes', 'Memory of the tensors of all versions loaded.', (model) =>
      loadedBytes(hub, model),
    );
    gauge('silverlode_fresh_items', 'Live items that came by updates.', (model) => fresh(hub, model)?.freshItems);
    gauge('silverlode_fresh_bytes', 'Memory of these.', (model) => fresh(hub, model)?.freshBytes);
    collectDefaultMetrics({ register: registry });
  }

  answered(model: string, { queue, run }: RequestTimes, { scannedRows }: RetrieveStats): void {
    this.#requests.inc({ model, code: 'ok' });
    this.#latency.observe({ model, stage: 'queue' }, queue / 1000);
    this.#latency.observe({ model, stage: 'run' }, run / 1000);
    this.#scanned.observe({ model }, scannedRows);
  }

  failed(model: string, error: unknown): void {
    this.#requests.inc({ model, code: asError(error).code });
  }

  updated(model: string, kind: string, milliseconds: number): void {
    this.#updates.observe({ model, kind }, milliseconds / 1000);
  }

  profiled(model: string, stages: readonly StageProfile[]): void {
    for (const { label, op, milliseconds } of stages)
      this.#native.observe({ model, stage: label ? `${label}.${op}` : op }, milliseconds / 1000);
  }
}

const fresh = (hub: ModelHub, model: string) => freshnessOf(hub.current(model)?.model);
const batching = (hub: ModelHub, model: string) => hub.current(model)?.batcher.statistics();

function loadedBytes(hub: ModelHub, model: string): number {
  const loaded = hub.versions(model).filter(({ state }) => state !== 'retired');
  return loaded.reduce((sum, { bytes }) => sum + bytes, 0);
}
