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
  /**
   * Positions say which stream they are of, `{sequence, created}`, so that a stream made anew is an error after a restart too;
   * default false: they are sequence numbers alone.
   */
  identify?: boolean;
  /** For streams that keep only the last message of each subject: messages that are gone are passed; default false. */
  allowGaps?: boolean;
}

/** Where a model stands: a sequence number, and with `identify` when the stream was made. */
interface Place {
  readonly sequence: number;
  readonly created: string | undefined;
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
 * @throws SilverlodeError from the iteration: `IO_ERROR` when the stream cannot be read to begin with, is gone or was made anew,
 * or no longer holds what follows the model's position, now or later (limits of the stream, deleted messages; with `subjects`
 * also when only messages of others may be gone); when the connection is closed.
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
  return (after) => ({ [Symbol.asyncIterator]: () => new Messages(connection, options, toPlace(after)) });
}

/**
 * Whether a model that follows `natsLog` has come to what is the end of the stream now.
 *
 * @throws SilverlodeError `IO_ERROR` when the stream cannot be read.
 */
export async function natsEnd(connection: NatsConnection, stream: string): Promise<(position: unknown) => boolean> {
  const { state } = await streamFacts(connection, stream);
  return (position) => toPlace(position).sequence >= state.last_seq;
}

async function streamFacts(connection: NatsConnection, stream: string) {
  const { jetstreamManager } = await import('@nats-io/jetstream');
  try {
    return await (await jetstreamManager(connection)).streams.info(stream);
  } catch (cause) {
    throw cannotRead(stream, cause);
  }
}

/** An iterator that can be ended while it waits, which a generator cannot. */
class Messages implements AsyncIterator<LogEntry> {
  #consumer: Consumer | undefined;
  #batch: ConsumerMessages | undefined;
  #iterator: AsyncIterator<JsMsg> | undefined;
  #opened = false;
  #ended = false;
  /** Of the stream that is read. */
  #created: string | undefined;
  /** Sequence of the last message that was taken. */
  #after: number;
  /** Up to here all messages of our subjects are taken. */
  #scanned: number;

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: NatsLogOptions,
    { sequence, created }: Place,
  ) {
    this.#after = sequence;
    this.#scanned = sequence;
    this.#created = created;
  }

  async next(): Promise<IteratorResult<LogEntry>> {
    while (!this.#ended) {
      try {
        const message = await this.#message();
        if (message === undefined) continue;
        this.#pass(message.seq);
        return { done: false, value: { position: this.#position(), update: this.#decode(message.data) } };
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
    const isFirst = this.#batch === undefined;
    const end = isFirst ? await this.#check() : 0;
    this.#batch ??= await this.#consumer.fetch(BATCH);
    this.#iterator ??= this.#batch[Symbol.asyncIterator]();
    const next = await this.#iterator.next();
    if (!next.done) {
      if (isFirst) await this.#check(); // a stream made anew meanwhile would go on as if nothing had happened
      return next.value;
    }
    if (isFirst) this.#scanned = Math.max(this.#scanned, end); // there was nothing up to what was the end
    this.#batch = undefined;
    this.#iterator = undefined;
    return undefined;
  }

  /** Takes a message. @throws SilverlodeError `IO_ERROR` when some before it are gone. */
  #pass(sequence: number): void {
    const { subjects, allowGaps } = this.options;
    if (subjects === undefined && !allowGaps && sequence !== this.#after + 1)
      throw this.#gap(this.#after + 1, sequence - 1);
    this.#after = sequence;
    this.#scanned = Math.max(this.#scanned, sequence);
  }

  /** That the stream is still the same and holds what comes next. @returns Its last sequence number. */
  async #check(): Promise<number> {
    const { stream, allowGaps } = this.options;
    const { jetstreamManager } = await import('@nats-io/jetstream');
    const { created, state } = await (await jetstreamManager(this.connection)).streams.info(stream);
    this.#created ??= created;
    if (created !== this.#created)
      throw this.#lost(
        `was made anew at ${created}; the model stands at ${this.#after} of the one made at ${this.#created}`,
      );
    if (this.#after > state.last_seq) throw this.#lost(`ends at ${state.last_seq}, the model stands at ${this.#after}`);
    if (!allowGaps && state.first_seq > this.#scanned + 1) throw this.#gap(this.#scanned + 1, state.first_seq - 1);
    return state.last_seq;
  }

  #position(): number | Place {
    return this.options.identify ? { sequence: this.#after, created: this.#created } : this.#after;
  }

  #gap(first: number, last: number): SilverlodeError {
    return this.#lost(`no longer holds ${first === last ? `message ${first}` : `messages ${first} to ${last}`}`);
  }

  /** The model cannot follow any more: it must be loaded from a newer file. */
  #lost(problem: string): SilverlodeError {
    const { stream } = this.options;
    return new SilverlodeError('IO_ERROR', `the stream ${stream} ${problem}`, { stream });
  }

  async #open(): Promise<Consumer> {
    const { stream, subjects } = this.options;
    const { DeliverPolicy, jetstream } = await import('@nats-io/jetstream');
    await this.#check();
    return jetstream(this.connection).consumers.get(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#after + 1,
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
    return cause instanceof SilverlodeError ? cause : cannotRead(this.options.stream, cause);
  }

  #decode(bytes: Uint8Array): Update {
    try {
      return this.options.decode ? this.options.decode(bytes) : decodeUpdate(bytes, this.options);
    } catch {
      return { type: 'undecodable' } as unknown as Update; // refused by the model, and its position passed
    }
  }
}

function cannotRead(stream: string, cause: unknown): SilverlodeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SilverlodeError('IO_ERROR', `cannot read the stream ${stream}: ${reason}`, { stream }, { cause });
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for a position of another log. */
function toPlace(after: unknown): Place {
  const { sequence, created } = (typeof after === 'object' && after !== null ? after : { sequence: after }) as Place;
  const isNumber = sequence === undefined || (Number.isSafeInteger(sequence) && sequence >= 0);
  if (isNumber && (created === undefined || typeof created === 'string')) return { sequence: sequence ?? 0, created };
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    `the model stands at ${JSON.stringify(after)}, which is no position of a stream`,
  );
}
