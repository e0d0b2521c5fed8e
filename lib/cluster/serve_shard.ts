// One shard as a NATS service.
import { requireKnown, SilverlodeError } from '../errors.js';
import type { LoadOptions } from '../retrieval/load_options.js';
import { RetrievalModel } from '../retrieval/model.js';
import { asError } from '../retrieval/results.js';
import type { RetrieveRequest } from '../retrieval/types.js';
import {
  type CatalogueFacts,
  decode,
  encode,
  factsSubject,
  type NatsConnection,
  type ShardReply,
  type ShardRequest,
  shardSubject,
} from './messages.js';
import { readShardOrder, type ShardOrder, shardPath } from './shard_file.js';

export interface ServeShardOptions {
  nats: NatsConnection;
  /** `'I/N'`, I from 1. */
  shard: string;
  /** What the catalogue is called: letters, digits, _ and -. */
  name: string;
  load?: Omit<LoadOptions, 'journal' | 'fsync'>;
  /** Requests in flight; beyond them `OVERLOADED`. Default 256. */
  maxInFlight?: number;
}

/** A shard that answers. */
export interface ServedShard extends AsyncDisposable {
  readonly items: number;
  readonly version: string;
  /** Takes no new requests, answers those in flight, frees the model. The connection stays open. */
  close(): Promise<void>;
}

const QUEUE = 'silverlode';
const MAX_IN_FLIGHT = 256;

/**
 * Loads a shard of a folder that `cutModel` wrote and answers for it. Processes that serve the same shard share its requests.
 *
 * @throws SilverlodeError `INVALID_ARGUMENT`, and as `RetrievalModel.load`.
 * @example
 * ```ts
 * const nats = await connect({ servers: 'localhost:4222', maxReconnectAttempts: -1 });
 * await using shard = await serveShard('books', { nats, shard: '2/4', name: 'books' });
 * ```
 */
export async function serveShard(folder: string, options: ServeShardOptions): Promise<ServedShard> {
  requireKnown('shard options', options, ['nats', 'shard', 'name', 'load', 'maxInFlight']);
  const { nats, name, load, maxInFlight = MAX_IN_FLIGHT } = options;
  const [index, of] = parseShard(options.shard);
  if (!Number.isInteger(maxInFlight) || maxInFlight < 1)
    throw new SilverlodeError('INVALID_ARGUMENT', `maxInFlight must be a positive integer, got ${String(maxInFlight)}`);
  const subjects = [shardSubject(name, index), factsSubject(name)];
  const path = shardPath(folder, index, of);
  const model = await RetrievalModel.load(path, load);
  const order = await readShardOrder(path).catch(async (error: unknown) => {
    await model.close();
    throw error;
  });
  const answers = new ShardAnswers(model, order, maxInFlight);
  const subscriptions = subjects.map((subject) =>
    nats.subscribe(subject, {
      queue: QUEUE,
      callback: (error, message) => {
        if (error || !message.reply) return;
        void answers.reply(message.data, nats.info?.max_payload).then((bytes) => {
          if (!nats.isClosed()) message.respond(bytes);
        });
      },
    }),
  );
  await nats.flush();
  const close = async () => {
    for (const subscription of subscriptions) if (!nats.isClosed()) await subscription.drain();
    await answers.settled();
    await model.close();
  };
  return { items: model.items, version: order.shard.version, close, [Symbol.asyncDispose]: close };
}

/** `'2/4'` as [2, 4]. @throws SilverlodeError `INVALID_ARGUMENT`. */
export function parseShard(text: string): [index: number, of: number] {
  const [, index, of] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? [];
  if (Number(index) <= Number(of)) return [Number(index), Number(of)];
  throw new SilverlodeError('INVALID_ARGUMENT', `a shard is written I/N, I from 1 to N, got ${String(text)}`);
}

/** Messages in, messages out. */
class ShardAnswers {
  readonly #open = new Set<Promise<unknown>>();

  constructor(
    private readonly model: RetrievalModel,
    private readonly order: ShardOrder,
    private readonly maxInFlight: number,
  ) {}

  /** Never rejects: failures are replies. */
  async reply(bytes: Uint8Array, maxBytes = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    const work = this.#answer(bytes, maxBytes).catch((error: unknown) => this.#failure(error));
    this.#open.add(work);
    return work.finally(() => this.#open.delete(work));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  async #answer(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
    if (this.#open.size >= this.maxInFlight)
      throw new SilverlodeError('OVERLOADED', `${this.maxInFlight} requests are in flight at this shard`);
    const message = decode<ShardRequest>(bytes);
    if (message.kind === 'facts') return encode({ kind: 'facts', facts: this.#facts() });
    const reply = encode(await this.#retrieve(message.request));
    if (reply.length <= maxBytes) return reply;
    const text = `the answer of a shard is ${reply.length} bytes, the NATS server takes ${maxBytes}: ask for a smaller k`;
    throw new SilverlodeError('LIMIT_EXCEEDED', text, { field: 'k' });
  }

  async #retrieve(request: RetrieveRequest): Promise<ShardReply> {
    const { ids, scores, stats } = await this.model.retrieve(request);
    const places = Int32Array.from(ids, (id) => this.order.placeOf(id));
    return { kind: 'answer', version: this.order.shard.version, answer: { ids, scores, places, stats } };
  }

  #facts(): CatalogueFacts {
    const { shard, manifest } = this.order;
    const { dims, flat, recall } = manifest;
    const { of, version, items } = shard;
    const described = this.model.describe();
    return { of, version, items, dims, flat, recall: recall?.target ?? null, described };
  }

  #failure(error: unknown): Uint8Array {
    const failed = asError(error);
    const { code, ...details } = failed; // the details of an error are its own enumerable properties
    return encode({ kind: 'error', version: this.order.shard.version, code, message: failed.message, details });
  }
}
