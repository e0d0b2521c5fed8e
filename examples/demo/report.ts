// All figures of the demo: one JSON document, and a text made from it.
import { devices, type StepProfile } from 'silverlode';
import type { DemoData } from './data.js';
import {
  checkFilters,
  checkFiltersLoosely,
  type FilterFindings,
  heldOutRecall,
  overlap,
  retrieveAll,
  unseen,
} from './evaluate.js';
import { exactTopKs } from './exact.js';
import type { DemoModels } from './models.js';
import type { OnProgress } from './progress.js';
import { measure, stagesOf, type Timing } from './timing.js';

const TIMED_REQUESTS = 1000;
/** Filters are checked for so many people, each with every filter. */
const FILTER_PEOPLE = 3;

/** What `npm run demo -- --json` prints. */
export interface Report {
  dataset: string;
  items: number;
  /** People with held-out lists, all of them evaluated. */
  users: number;
  device: string;
  simd: string | null;
  threads: number | null;
  /** Flat int8 search against exact float32 search. */
  overlapAt100: number;
  ivf: { clusters: number; probes: number; overlapAt100: number; filter: FilterFindings };
  /** Flat int8 search, items already seen excluded; beside it that of exact search. */
  heldOutRecallAt100: number;
  exactHeldOutRecallAt100: number;
  /** The whole path with 1 000 candidates, and the first 20 of flat search; null where there are no trained weights. */
  rerank: { recallAt20: number; withoutRecallAt20: number } | null;
  filter: FilterFindings;
  /** Of the whole path: filter, exclude, search, rerank and value, k 20. */
  latencyMs: Timing['latencyMs'];
  requestsPerSecond: number;
  /** The same figures for simpler requests: search alone with k 100, and with a filter. */
  search: Timing;
  filteredSearch: Timing;
  publishSeconds: number;
  modelBytes: number;
  /** One request of the whole path, from the tower on where there is one. */
  stages: StepProfile[];
}

/** Evaluates the models on everyone. */
export async function evaluate(data: DemoData, models: DemoModels, onProgress?: OnProgress): Promise<Report> {
  const { people, queries, items } = data;
  const { whole, flat, ivf } = models;

  const embeddings = queries.embeddings.map((embedding) => ({ embedding }));
  const exactTop100 = queries.exactTop100 ?? (await exactTopKs(embeddings, items.embeddings, 100, onProgress));
  const overlapOf = async (model: typeof flat) =>
    overlap(
      (await retrieveAll(model, embeddings, onProgress)).map(({ ids }) => ids as number[]),
      exactTop100,
      queries.embeddings,
      items.embeddings,
    );

  const exactUnseen = await exactTopKs(people, items.embeddings, 100, onProgress);
  const found = (await retrieveAll(flat, unseen(people, { k: 100 }), onProgress)).map(({ ids }) => ids);
  const fewPeople = { ...data, people: people.slice(0, FILTER_PEOPLE) };
  const { clusters, probes } = ivf.describe();

  const rerank = data.modules.rerank && {
    recallAt20: await rerankRecall(data, models, onProgress),
    withoutRecallAt20: heldOutRecall(found, people, 20),
  };

  const timed = Array.from({ length: TIMED_REQUESTS }, (_, i) => people[i % people.length] as (typeof people)[number]);
  const filter = data.shownFilter;
  const wholePath = await measure(whole, unseen(timed, { k: 20, filter }));
  const [first] = timed as [(typeof people)[number]];
  const who = data.asUser ? { user: data.asUser(first) } : { embedding: first.embedding };
  const cpu = devices().find(({ id }) => id === 'cpu');
  return {
    dataset: data.dataset,
    items: whole.items,
    users: people.length,
    device: 'cpu',
    simd: cpu?.simd ?? null,
    threads: cpu?.threads ?? null,
    overlapAt100: await overlapOf(flat),
    ivf: { clusters, probes, overlapAt100: await overlapOf(ivf), filter: await checkFiltersLoosely(ivf, fewPeople) },
    heldOutRecallAt100: heldOutRecall(found, people, 100),
    exactHeldOutRecallAt100: heldOutRecall(exactUnseen, people, 100),
    rerank: rerank ?? null,
    filter: await checkFilters(flat, fewPeople, onProgress),
    ...wholePath,
    search: await measure(
      flat,
      timed.map(({ embedding }) => ({ embedding, k: 100 })),
    ),
    filteredSearch: await measure(
      flat,
      timed.map(({ embedding }) => ({ embedding, k: 100, filter })),
    ),
    publishSeconds: models.publishSeconds,
    modelBytes: models.modelBytes,
    stages: await stagesOf(whole, { ...who, filter, exclude: first.seen, k: 20 }),
  };
}

async function rerankRecall({ people }: DemoData, { whole }: DemoModels, onProgress?: OnProgress): Promise<number> {
  const results = await retrieveAll(whole, unseen(people, { k: 20, candidates: 1000 }), onProgress);
  return heldOutRecall(
    results.map(({ ids }) => ids),
    people,
    20,
  );
}

/** The report for people. */
export function reportText(report: Report): string {
  const { ivf, rerank, filter } = report;
  const share = (value: number) => value.toFixed(4);
  const timing = ({ latencyMs: { p50, p99 }, requestsPerSecond }: Timing) =>
    `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms; in batches of 64 ${Math.round(requestsPerSecond)} requests/s`;
  const findings = ({ expressions, violations, missed }: FilterFindings) =>
    `${expressions} expressions, ${violations} violations, ${missed} missed`;
  const rows: [string, string][] = [
    ['overlap@100, flat int8', `${share(report.overlapAt100)} of exact float32 search: what int8 keeps`],
    [
      'overlap@100, IVF',
      `${share(ivf.overlapAt100)} of the same with ${ivf.probes} of ${ivf.clusters} clusters, the default of this model`,
    ],
    [
      'held-out recall@100',
      `${share(report.heldOutRecallAt100)}; exact search ${share(report.exactHeldOutRecallAt100)}, by brute force`,
    ],
    [
      'held-out recall@20',
      rerank
        ? `${share(rerank.recallAt20)} reranked; ${share(rerank.withoutRecallAt20)} without`
        : 'not reranked: a synthetic catalogue has no trained weights',
    ],
    ['filters, flat', findings(filter)],
    ['filters, IVF', findings(ivf.filter)],
    ['search, k 100', timing(report.search)],
    ['  with a filter', timing(report.filteredSearch)],
    ['whole path, k 20', timing(report)],
    ['model file', `${(report.modelBytes / 1e6).toFixed(1)} MB, published in ${report.publishSeconds.toFixed(2)} s`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(24)}${value}`).join('\n');
}
