// What a request will do, in words for people and tools.
import type { CheckedRequest } from './requests.js';

/** What `explain` tells about a request before it runs. */
export interface RetrievalPlan {
  /** What the request starts with; filters may extend it at run time. */
  strategy: 'flat' | 'ivf' | 'filter-only';
  clusters: number;
  /** The recall target; null where a number of clusters decides, or all that is eligible is scored. */
  recall: number | null;
  /**
   * Nearest clusters per head; with a recall target how many a request for 100 items looks at in the mean; 0 where so few items
   * can be eligible that all of them are scored (`filter-only`).
   */
  probes: number;
  heads: number;
  k: number;
  candidates: number;
  minCandidates: number;
  /** Steps of the filter plan, 0 without a filter. */
  filterSteps: number;
  excludedItems: number;
  /** Bytes of index rows the scan reads at most, before clusters are added for a filter. */
  scanBytes: number;
  /** SIMD level or device variant that runs it. */
  variant: string;
  /** Sizes of the bucket the request runs in. */
  capacities: Record<string, number>;
  /**
   * `modelBytes`: all tensors of the model. `arenaBytes`, `preparedBytes`: working memory and packed weights of the bucket.
   * `deviceBytes`: what the device must hold for this request: both, and the tensors that the programs read.
   */
  memory: { modelBytes: number; arenaBytes: number; preparedBytes: number; deviceBytes: number };
}

/** @param variant Of the device that runs it. */
export async function explainRequest(request: CheckedRequest, variant: string): Promise<RetrievalPlan> {
  const { main } = request.version;
  const { manifest, runner } = main;
  const rows = request.probes === 0 ? (request.plan?.atMost ?? 0) : request.probes * manifest.clusterRows;
  const { capacities, arenaBytes, preparedBytes } = await main.use(() => runner.sizes([request]));
  return {
    strategy: manifest.flat ? 'flat' : request.probes === 0 ? 'filter-only' : 'ivf',
    clusters: manifest.clusters,
    recall: request.allowedMisses < 0 ? null : (request.asked.recall ?? manifest.recall?.target ?? null),
    probes: request.probes,
    heads: request.heads,
    k: request.k,
    candidates: request.candidates,
    minCandidates: request.minCandidates,
    filterSteps: (request.plan?.steps.length ?? 0) / 4,
    excludedItems: request.excludeRows?.length ?? 0,
    scanBytes: Math.round(request.heads * rows * main.rowBytes),
    variant,
    capacities,
    memory: {
      modelBytes: main.bytes,
      arenaBytes,
      preparedBytes,
      deviceBytes: runner.constantBytes + arenaBytes + preparedBytes,
    },
  };
}
