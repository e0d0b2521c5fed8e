// The least effort per filter with which a side finds enough of the exact lists.

import { Connection } from './load/connection.js';
import { httpRequest, type Side } from './sides.js';
import { FILTERS, recall, type TaskRequest } from './task.js';

const PROBES = [4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 768, 1024];

/** A side at one recall. */
export interface Tuned {
  /** Clusters to look at, per filter. */
  probes: number[];
  /** Share of the exact lists that is found, over all requests. */
  recall: number;
  /** Median milliseconds of each hop of a lone request, from `server-timing`. */
  hops: Record<string, number>;
}

/** Asks a side for lists, one request after another. */
class Asker {
  readonly hops = new Map<string, number[]>();

  private constructor(
    private readonly side: Side,
    private readonly connection: Connection,
  ) {}

  static async open(side: Side): Promise<Asker> {
    return new Asker(side, await Connection.open(side.port));
  }

  async list(request: TaskRequest, probes: number): Promise<number[]> {
    const { status, head, body } = await this.connection.send(httpRequest(this.side.request(request, probes)));
    if (status !== 200) throw new Error(`${this.side.name} answers ${status}: ${body}`);
    for (const [, name = '', milliseconds] of head.matchAll(/([a-z]+);dur=([\d.]+)/g))
      this.hops.set(name, [...(this.hops.get(name) ?? []), Number(milliseconds)]);
    return this.side.items(body);
  }

  close(): void {
    this.connection.close();
  }
}

/** Finds the efforts, then asks for every list once more with them. */
export async function tune(
  side: Side,
  requests: readonly TaskRequest[],
  truth: readonly number[][],
  wanted: number,
): Promise<Tuned> {
  const asker = await Asker.open(side);
  try {
    const meanRecall = async (numbers: readonly number[], probesOf: (filter: number) => number) => {
      let sum = 0;
      for (const i of numbers) {
        const request = requests[i] as TaskRequest;
        sum += recall(await asker.list(request, probesOf(request.filter)), truth[i] as number[]);
      }
      return sum / numbers.length;
    };
    const all = [...requests.keys()];
    const probes: number[] = [];
    for (const filter of FILTERS.keys()) {
      const own = all.filter((i) => requests[i]?.filter === filter);
      probes.push(await leastEffort((effort) => meanRecall(own, () => effort), wanted));
    }
    asker.hops.clear();
    const found = await meanRecall(all, (filter) => probes[filter] as number);
    const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1] as number;
    return {
      probes,
      recall: found,
      hops: Object.fromEntries([...asker.hops].map(([name, times]) => [name, median(times)])),
    };
  } finally {
    asker.close();
  }
}

/** By bisection over {@link PROBES}: recall grows with effort. The most when none is enough. */
async function leastEffort(recallOf: (effort: number) => Promise<number>, wanted: number): Promise<number> {
  let low = 0;
  let high = PROBES.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((await recallOf(PROBES[middle] as number)) >= wanted) high = middle;
    else low = middle + 1;
  }
  return PROBES[low] as number;
}
