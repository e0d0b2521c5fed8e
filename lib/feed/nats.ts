// Updates from a NATS JetStream stream.
import type { Consumer, ConsumerMessages, JsMsg, jetstream } from '@nats-io/jetstream';
import { SilverlodeError } from '../errors.js';
import type { LogEntry } from '../retrieval/fresh/follow.js';
import type { Update } from '../retrieval/fresh/updates.js';
import { type CodecOptions, decodeUpdate } from './codec.js';

/** A connection as `connect()` of `@nats-io/transport-node` gives it. */
export type NatsConnection = Parameters<typeof jetstream>[0];

export interface NatsLogOptions extends CodecOptions {
  stream: string;
  /** Only messages of these subjects. */
  subjects?: string | string[];
  /** Message to update; default: JSON as `encodeUpdate` writes it. */
  decode?: (bytes: Uint8Array) => Update;
}

/** Messages asked for at once, and how long the server may hold an answer back. */
const BATCH = { max_messages: 500, expires: 5000 };
const RETRY_MS = 100;
/** JetStream's code for a stream that does not exist. */
const STREAM_NOT_FOUND = 10_059;

/**
 * A log for `RetrievalModel.follow`: the messages of a stream in their order. Positions are stream sequence numbers, and each
 * batch is asked for by them; when the server goes away, asking is repeated until it is back (give the connection
 * `maxReconnectAttempts: -1` for that). A message that cannot be decoded is refused like any other bad update.
 *
 * @throws SilverlodeError from the iteration: `IO_ERROR` when the stream cannot be read to begin with, is gone, or no longer
 * holds what follows the model's position; when the connection is closed.
 * @example
 * ```ts
 * const connection = await connect({ servers: 'localhost:4222', maxReconnectAttempts: -1 });
 * await model.follow(natsLog(connection, { stream: 'catalogue' }), { signal });
 * ```
 */
export function natsLog(
  connection: NatsConnection,
  options: NatsLogOptions,
): (after: unknown) => AsyncIterable<LogEntry> {
  return (after) => ({ [Symbol.asyncIterator]: () => new Messages(connection, options, toSequence(after)) });
}

/** An iterator that can be ended while it waits, which a generator cannot. */
class Messages implements AsyncIterator<LogEntry> {
  #consumer: Consumer | undefined;
  #batch: ConsumerMessages | undefined;
  #iterator: AsyncIterator<JsMsg> | undefined;
  #opened = false;
  #ended = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: NatsLogOptions,
    private after: number,
  ) {}

  async next(): Promise<IteratorResult<LogEntry>> {
    while (!this.#ended) {
      try {
        const message = await this.#message();
        if (message === undefined) continue;
        this.after = message.seq;
        return { done: false, value: { position: message.seq, update: this.#decode(message.data) } };
      } catch (cause) {
        this.#forget();
        if (this.#ended) break;
        if (!this.#opened || !this.#mayReturn(cause)) throw this.#failed(cause);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<LogEntry>> {
    this.#ended = true;
    this.#batch?.stop();
    return { done: true, value: undefined };
  }

  /** Undefined at the end of a batch. */
  async #message(): Promise<JsMsg | undefined> {
    this.#consumer ??= await this.#open();
    this.#opened = true;
    this.#batch ??= await this.#consumer.fetch(BATCH);
    this.#iterator ??= this.#batch[Symbol.asyncIterator]();
    const next = await this.#iterator.next();
    if (!next.done) return next.value;
    this.#batch = undefined;
    this.#iterator = undefined;
    return undefined;
  }

  async #open(): Promise<Consumer> {
    const { stream, subjects } = this.options;
    const { DeliverPolicy, jetstream, jetstreamManager } = await import('@nats-io/jetstream');
    const { state } = await (await jetstreamManager(this.connection)).streams.info(stream);
    if (this.after + 1 < state.first_seq || this.after > state.last_seq) {
      const held = `holds ${state.first_seq} to ${state.last_seq}`;
      throw new SilverlodeError('IO_ERROR', `the stream ${stream} ${held}, the model stands at ${this.after}`, {
        stream,
      });
    }
    return jetstream(this.connection).consumers.get(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.after + 1,
      ...(subjects === undefined ? {} : { filter_subjects: subjects }),
    });
  }

  #forget(): void {
    this.#batch?.stop();
    this.#consumer = undefined;
    this.#batch = undefined;
    this.#iterator = undefined;
  }

  /** Whether a failure may pass: the server is away, or has lost its consumers. */
  #mayReturn(cause: unknown): boolean {
    if (cause instanceof SilverlodeError || this.connection.isClosed()) return false;
    return (cause as { code?: unknown } | undefined)?.code !== STREAM_NOT_FOUND;
  }

  #failed(cause: unknown): SilverlodeError {
    if (cause instanceof SilverlodeError) return cause;
    const { stream } = this.options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new SilverlodeError('IO_ERROR', `cannot read the stream ${stream}: ${reason}`, { stream }, { cause });
  }

  #decode(bytes: Uint8Array): Update {
    try {
      return this.options.decode ? this.options.decode(bytes) : decodeUpdate(bytes, this.options);
    } catch {
      return { type: 'undecodable' } as unknown as Update; // refused by the model, and its position passed
    }
  }
}

function toSequence(after: unknown): number {
  if (after === undefined) return 0;
  if (Number.isSafeInteger(after) && (after as number) >= 0) return after as number;
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    `the model stands at ${JSON.stringify(after)}, which is no position of a stream`,
  );
}
