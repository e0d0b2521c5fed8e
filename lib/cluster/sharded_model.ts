// A catalogue in shards behind the same `retrieve` as a model in one process.
import { requireBoolean, requireKnown, SilverlodeError } from '../errors.js';
import type { ModelDescription } from '../retrieval/describe.js';
import { asError } from '../retrieval/results.js';
import type { RetrieveRequest, RetrieveResult } from '../retrieval/types.js';
import { mergeAnswers, mergeStats, type ShardAnswer } from './merge.js';
import {
  type CatalogueFacts,
  decode,
  encode,
  factsSubject,
  type NatsConnection,
  type ShardReply,
  shardSubject,
} from './messages.js';

export interface ConnectOptions {
  /** What the catalogue is called, as in `serveShard`. */
  name: string;
  /** Whether to answer from the other shards where some are missing; the result says so. Default false: `PARTIAL`. */
  partial?: boolean;
  /** Milliseconds after which a shard is missing that has not answered; default 5000. */
  timeoutMs?: number;
  /** Requests in flight; beyond them `OVERLOADED`. Default 1024. */
  maxInFlight?: number;
}

/** Times that a request is sent whose shards answered from different versions, and milliseconds between them. */
const [VERSION_TRIES, VERSION_WAIT_MS] = [3, 20];
const DEFAULTS = { partial: false, timeoutMs: 5000, maxInFlight: 1024 };
const DEFAULT_K = 100;
/** Fields whose answers can be merged; the others need what another shard holds. */
const FIELDS = [
  ...['embedding', 'user', 'filter', 'k', 'recall', 'probes', 'count', 'minCandidates', 'exact', 'exclude'],
  'deadlineMs',
];

type Reply = Exclude<ShardReply, { kind: 'facts' }>;

/**
 * A stateless coordinator: sends every request to all shards and merges what they find by score, then publish order. Answers of
 * shards that hold different versions are never mixed.
 */
export class ShardedModel {
  #inFlight = 0;
  #closed = false;

  private constructor(
    private readonly nats: NatsConnection,
    private readonly options: Required<ConnectOptions>,
    private facts: CatalogueFacts,
  ) {}

  /**
   * @param nats Stays the caller's: closing the model leaves it open.
   * @throws SilverlodeError `INVALID_ARGUMENT`; `NOT_READY` where no shard of that name answers.
   * @example
   * ```ts
   * const model = await ShardedModel.connect(await connect({ servers: 'localhost:4222' }), { name: 'books' });
   * const { ids } = await model.retrieve({ embedding, filter: 'language:en', k: 20 });
   * ```
   */
  static async connect(nats: NatsConnection, options: ConnectOptions): Promise<ShardedModel> {
    requireKnown('connect options', options, ['name', ...Object.keys(DEFAULTS)]);
    const all = { ...DEFAULTS, ...options };
    requireBoolean('partial', all.partial);
    for (const name of ['timeoutMs', 'maxInFlight'] as const) {
      if (!Number.isInteger(all[name]) || all[name] < 1)
        throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a positive integer, got ${String(all[name])}`);
    }
    return new ShardedModel(nats, all, await readFacts(nats, all));
  }

  /** Items of all shards together. */
  get items(): number {
    return this.facts.items;
  }

  /** Dimensions of an embedding. */
  get dims(): number {
    return this.facts.dims;
  }

  /** As `RetrievalModel.describe`, of one shard but for `items`, and what the shards are. */
  describe(): ModelDescription & { shards: number; version: string } {
    const { described, items, of, version } = this.facts;
    return { ...described, items, shards: of, version };
  }

  /**
   * As `RetrievalModel.retrieve`. With `recall: 1`, and always over a flat index, ids and scores are those of one model over all
   * items. With a lower recall target every shard stops by its own data, at a target that makes up for their number: the answer
   * reaches the target, though its list may be another. With `probes` and no filter every shard looks at least at the clusters that one model would.
   *
   * @throws SilverlodeError as there, `INVALID_ARGUMENT` for fields that cannot be merged yet; `PARTIAL` where shards are missing; `NOT_READY` where shards do not get to one version;
   * `OVERLOADED`; `DEADLINE`.
   */
  retrieve(request: RetrieveRequest, options?: { signal?: AbortSignal }): Promise<RetrieveResult>;
  retrieve(
    requests: readonly RetrieveRequest[],
    options?: { signal?: AbortSignal },
  ): Promise<(RetrieveResult | SilverlodeError)[]>;
  async retrieve(
    given: RetrieveRequest | readonly RetrieveRequest[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RetrieveResult | (RetrieveResult | SilverlodeError)[]> {
    if (!Array.isArray(given)) return this.#counted(given as RetrieveRequest, signal);
    return Promise.all(
      (given as readonly RetrieveRequest[]).map((request) => this.#counted(request, signal).catch(asError)),
    );
  }

  /** None: stages run in the processes of the shards. */
  async profile(): Promise<[]> {
    return [];
  }

  /** No new requests (`DISPOSED`). */
  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #counted(request: RetrieveRequest, signal: AbortSignal | undefined): Promise<RetrieveResult> {
    if (this.#closed) throw new SilverlodeError('DISPOSED', 'the model was closed');
    const { maxInFlight } = this.options;
    if (this.#inFlight >= maxInFlight)
      throw new SilverlodeError('OVERLOADED', `${maxInFlight} requests are in flight`, { maxInFlight });
    this.#inFlight++;
    try {
      return await unlessAborted(this.#answer(request), signal);
    } finally {
      this.#inFlight--;
    }
  }

  async #answer(request: RetrieveRequest): Promise<RetrieveResult> {
    if (typeof request !== 'object' || request === null)
      throw new SilverlodeError('INVALID_ARGUMENT', 'a request must be an object');
    const field = Object.keys(request).find((name) => !FIELDS.includes(name));
    if (field !== undefined)
      throw new SilverlodeError('INVALID_ARGUMENT', `shards know no '${field}'; they take ${FIELDS.join(', ')}`, {
        field,
      });
    const { deadlineMs } = request;
    if (deadlineMs !== undefined && !(typeof deadlineMs === 'number' && deadlineMs >= 0))
      throw new SilverlodeError('INVALID_ARGUMENT', `deadlineMs must be a number of milliseconds, got ${deadlineMs}`);
    const ends = performance.now() + (deadlineMs ?? Number.POSITIVE_INFINITY);
    for (let tries = 1; ; tries++) {
      const replies = await this.#ask(this.#asked(request), ends);
      const versions = new Set(replies.flatMap((reply) => (reply === undefined ? [] : [reply.version])));
      const isKnown = versions.size === 0 || versions.has(this.facts.version);
      if (versions.size <= 1 && isKnown) return this.#merge(replies, request, ends);
      if (!isKnown) this.facts = await readFacts(this.nats, this.options);
      if (tries === VERSION_TRIES)
        throw new SilverlodeError('NOT_READY', 'shards answer from different versions', { versions: [...versions] });
      await new Promise((resolve) => setTimeout(resolve, VERSION_WAIT_MS));
    }
  }

  /** What shards are asked: a share of what may be missed for each. */
  #asked(request: RetrieveRequest): RetrieveRequest {
    const { flat, of, recall: target } = this.facts;
    const recall =
      request.recall ?? (request.probes === undefined && !request.count ? (target ?? undefined) : undefined);
    const isTarget = typeof recall === 'number' && recall > 0 && recall < 1;
    return flat || !isTarget ? request : { ...request, recall: 1 - (1 - recall) / of };
  }

  /** Replies by shard, undefined for those that are missing. */
  #ask(request: RetrieveRequest, ends: number): Promise<(Reply | undefined)[]> {
    const { name, timeoutMs } = this.options;
    const left = Math.max(1, Math.ceil(ends - performance.now()));
    const asked = request.deadlineMs === undefined ? request : { ...request, deadlineMs: ends - performance.now() };
    if (ends <= performance.now()) throw late();
    const bytes = encode({ kind: 'retrieve', request: asked });
    const { max_payload = Number.POSITIVE_INFINITY } = this.nats.info ?? {};
    if (bytes.length > max_payload)
      throw new SilverlodeError('LIMIT_EXCEEDED', `the request is ${bytes.length} bytes, NATS takes ${max_payload}`);
    const timeout = Math.min(timeoutMs, left);
    return Promise.all(
      Array.from({ length: this.facts.of }, (_, i) =>
        this.nats.request(shardSubject(name, i + 1), bytes, { timeout }).then(
          ({ data }) => decode<Reply>(data),
          () => undefined,
        ),
      ),
    );
  }

  #merge(replies: readonly (Reply | undefined)[], request: RetrieveRequest, ends: number): RetrieveResult {
    const failed = replies.find((reply) => reply?.kind === 'error');
    if (failed?.kind === 'error') throw new SilverlodeError(failed.code, failed.message, failed.details);
    const missing = replies.flatMap((reply, i) => (reply === undefined ? [i + 1] : []));
    if (missing.length > 0 && performance.now() >= ends) throw late();
    const { items, of } = this.facts;
    const lost = missing.reduce((sum, index) => sum + Math.floor(items / of) + (index <= items % of ? 1 : 0), 0);
    if (missing.length === of || (missing.length > 0 && !this.options.partial)) {
      const message = `${missing.length} of ${of} shards do not answer: ${missing.join(', ')}`;
      throw new SilverlodeError('PARTIAL', message, { shards: missing, items: lost });
    }
    const answers = replies.flatMap((reply): ShardAnswer[] => (reply?.kind === 'answer' ? [reply.answer] : []));
    const k = request.k ?? DEFAULT_K;
    const result: RetrieveResult = { ...mergeAnswers(answers, k), stats: mergeStats(answers, k) };
    if (missing.length > 0) result.partial = { shards: missing, items: lost };
    return result;
  }
}

async function readFacts(nats: NatsConnection, { name, timeoutMs }: Required<ConnectOptions>): Promise<CatalogueFacts> {
  const subject = factsSubject(name);
  const answer = await nats
    .request(subject, encode({ kind: 'facts' }), { timeout: timeoutMs })
    .catch((cause: Error) => {
      throw new SilverlodeError('NOT_READY', `no shard of '${name}' answers: ${cause.message}`, { name }, { cause });
    });
  const reply = decode<ShardReply>(answer.data);
  if (reply.kind === 'facts') return reply.facts;
  throw new SilverlodeError('NOT_READY', `shards of '${name}' do not say what they hold`, { name });
}

function late(): SilverlodeError {
  return new SilverlodeError('DEADLINE', 'the deadline has passed');
}

/** Ends the wait when the signal fires; shards go on to the end of their run. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new SilverlodeError('ABORTED', 'the request was aborted', {}, { cause: signal.reason }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}
