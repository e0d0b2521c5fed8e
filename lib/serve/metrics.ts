// Prometheus metrics of a hub, whoever asks it.
import type * as Prometheus from 'prom-client';
import { SilverlodeError } from '../errors.js';
import type { StageProfile } from '../retrieval/stage_profile.js';
import { BATCH_BOUNDS } from './histogram.js';
import { type HubListeners, listenTo } from './hub_listeners.js';
import { freshnessOf } from './item_updates.js';
import type { ModelHub } from './model_hub.js';
import { importPeer } from './peers.js';

/** 50 µs to 5 s. */
const SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const ROWS = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];

/**
 * Counts what a hub does, in a registry of the application or in one of its own, which has the default metrics of the process
 * too. Needs `prom-client`. `createService` does this by itself.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT` when `prom-client` is not installed, or the registry has metrics of these names.
 * @example
 * ```ts
 * const metrics = await collectMetrics(hub, { registry: client.register });
 * metrics.close();   // takes them out again
 * ```
 */
export async function collectMetrics(
  hub: ModelHub,
  { registry }: { registry?: Prometheus.Registry } = {},
): Promise<HubMetrics> {
  const prometheus = await importPeer<typeof Prometheus>('prom-client');
  if (registry !== undefined) return new HubMetrics(prometheus, hub, registry);
  const own = new prometheus.Registry();
  for (const metric of processMetrics(prometheus).getMetricsAsArray())
    own.registerMetric(metric as unknown as Prometheus.Metric);
  return new HubMetrics(prometheus, hub, own);
}

let ofProcess: Prometheus.Registry | undefined;

/** The default metrics, once: prom-client never lets go of what observes the process for them. */
function processMetrics({ Registry, collectDefaultMetrics }: typeof Prometheus): Prometheus.Registry {
  if (ofProcess === undefined) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/** What a hub does, counted. */
export class HubMetrics {
  readonly #names: string[] = [];
  readonly #detach: () => void;
  readonly #requests: Prometheus.Counter<'model' | 'code'>;
  readonly #native: Prometheus.Histogram<'model' | 'stage'>;

  /** @internal Use `collectMetrics()`. */
  constructor(
    private readonly prometheus: typeof Prometheus,
    private readonly hub: ModelHub,
    readonly registry: Prometheus.Registry,
  ) {
    this.#requests = this.#counter(
      'silverlode_requests_total',
      'Retrieve requests by outcome: ok or an error code.',
      'code',
    );
    const latency = this.#histogram(
      'silverlode_request_seconds',
      'Time of answered requests: waiting in the queue, and the run.',
      SECONDS,
      'stage',
    );
    this.#native = this.#histogram(
      'silverlode_stage_seconds',
      'Time of native stages, from requests that are profiled at intervals.',
      SECONDS,
      'stage',
    );
    const updates = this.#histogram(
      'silverlode_update_seconds',
      'Lag of item updates: from their arrival until every later request sees them.',
      SECONDS,
      'kind',
    );
    const scanned = this.#histogram('silverlode_scanned_rows', 'Index rows scored per request.', ROWS);
    const batches = this.#histogram('silverlode_batch_requests', 'Requests per native run.', BATCH_BOUNDS);
    const runs = this.#histogram('silverlode_run_seconds', 'Time of native runs.', SECONDS);
    const versions = this.#counter(
      'silverlode_versions_total',
      'Model versions that were taken or refused.',
      'outcome',
    );
    this.#gauges();
    const events: HubListeners = {
      answered: (model, { queue, run }, { scannedRows }) => {
        this.#requests.inc({ model, code: 'ok' });
        latency.observe({ model, stage: 'queue' }, queue / 1000);
        latency.observe({ model, stage: 'run' }, run / 1000);
        scanned.observe({ model }, scannedRows);
      },
      failed: (model, { code }) => this.refused(model, code),
      changed: (model, kind, milliseconds) => updates.observe({ model, kind }, milliseconds / 1000),
      run: (model, { size, milliseconds }) => {
        batches.observe({ model }, size);
        runs.observe({ model }, milliseconds / 1000);
      },
      version: ({ name }) => versions.inc({ model: name, outcome: 'taken' }),
      refused: ({ name }) => versions.inc({ model: name, outcome: 'refused' }),
    };
    this.#detach = listenTo(hub, events);
  }

  /** Counts a request that has come to no model. @param model Empty when there is none of that name. */
  refused(model: string, code: string): void {
    this.#requests.inc({ model, code });
  }

  profiled(model: string, stages: readonly StageProfile[]): void {
    for (const { label, op, milliseconds } of stages)
      this.#native.observe({ model, stage: label ? `${label}.${op}` : op }, milliseconds / 1000);
  }

  /** Counts no more, and takes the metrics out of the registry. */
  close(): void {
    this.#detach();
    for (const name of this.#names) this.registry.removeSingleMetric(name);
  }

  #gauges(): void {
    const { hub } = this;
    const batching = (model: string) => hub.current(model)?.batcher.statistics();
    const fresh = (model: string) => freshnessOf(hub.current(model)?.model);
    this.#gauge('silverlode_queued_requests', 'Requests that wait for a run.', (model) => batching(model)?.queued);
    this.#gauge('silverlode_runs_in_flight', 'Native runs in flight.', (model) => batching(model)?.running);
    this.#gauge('silverlode_model_version', 'The version that serves.', (model) => hub.current(model)?.info.version);
    this.#gauge('silverlode_model_items', 'Items in the catalogue.', (model) => hub.current(model)?.model.items);
    this.#gauge('silverlode_model_bytes', 'Memory of the tensors of all versions loaded.', (model) => {
      const loaded = hub.versions(model).filter(({ state }) => state !== 'retired');
      return loaded.reduce((sum, { bytes }) => sum + bytes, 0);
    });
    this.#gauge('silverlode_fresh_items', 'Live items that came by updates.', (model) => fresh(model)?.freshItems);
    this.#gauge('silverlode_fresh_bytes', 'Memory of these.', (model) => fresh(model)?.freshBytes);
    this.#gauge('silverlode_fold_running', 'Whether updates are being folded in.', (model) => {
      const state = fresh(model)?.compaction;
      return state && Number(state.running !== undefined);
    });
    this.#gauge('silverlode_fold_seconds', 'Time of the last folding.', (model) => {
      const milliseconds = fresh(model)?.compaction?.milliseconds;
      return milliseconds === undefined ? undefined : milliseconds / 1000;
    });
    this.#total(
      'silverlode_folds_total',
      'Foldings of the version that serves.',
      (model) => fresh(model)?.compaction?.folds,
    );
    this.#total(
      'silverlode_fold_failures_total',
      'Those of them that failed.',
      (model) => fresh(model)?.compaction?.failures,
    );
    const name = this.#claim('silverlode_utilization_ratio');
    new this.prometheus.Gauge({
      name,
      help: 'Share of recent time with a native run in flight, or of deadlines spent waiting where that is more; scale by this.',
      registers: [this.registry],
      collect() {
        this.set(hub.utilization);
      },
    });
  }

  #gauge(name: string, help: string, read: (model: string) => number | undefined): void {
    this.#perModel(this.prometheus.Gauge<'model'>, name, help, read);
  }

  /** A count that a model keeps itself; it begins again with every version. */
  #total(name: string, help: string, read: (model: string) => number | undefined): void {
    this.#perModel(this.prometheus.Counter<'model'>, name, help, read);
  }

  /** Asks every model when the metrics are read. */
  #perModel(
    Metric: typeof Prometheus.Gauge<'model'> | typeof Prometheus.Counter<'model'>,
    name: string,
    help: string,
    read: (model: string) => number | undefined,
  ): void {
    const { hub, registry } = this;
    const metric: Prometheus.Gauge<'model'> | Prometheus.Counter<'model'> = new Metric({
      name: this.#claim(name),
      help,
      labelNames: ['model'],
      registers: [registry],
      collect: () => {
        metric.reset();
        for (const model of hub.names) {
          const value = read(model);
          if (value !== undefined) metric.inc({ model }, value);
        }
      },
    });
  }

  #counter<L extends string>(name: string, help: string, label: L): Prometheus.Counter<'model' | L> {
    const labelNames = ['model', label] as const;
    return new this.prometheus.Counter({ name: this.#claim(name), help, labelNames, registers: [this.registry] });
  }

  #histogram<L extends string>(
    name: string,
    help: string,
    bounds: readonly number[],
    ...labels: L[]
  ): Prometheus.Histogram<'model' | L> {
    const labelNames = ['model', ...labels] as const;
    const buckets = [...bounds];
    return new this.prometheus.Histogram({
      name: this.#claim(name),
      help,
      labelNames,
      buckets,
      registers: [this.registry],
    });
  }

  /** Says early what would be counted twice. */
  #claim(name: string): string {
    if (this.registry.getSingleMetric(name))
      throw new SilverlodeError('INVALID_ARGUMENT', `the registry has a metric ${name} already`, { metric: name });
    this.#names.push(name);
    return name;
  }
}
