// What a coordinator and shards say to each other over NATS. Messages are in the form of structured clones (node:v8), which keeps
// bigints, typed arrays, sets, NaN and undefined as they are.
import { deserialize, serialize } from 'node:v8';
import { type ErrorCode, SilverlodeError } from '../errors.js';
import type { ModelDescription } from '../retrieval/describe.js';
import type { RetrieveRequest } from '../retrieval/types.js';
import type { ShardAnswer } from './merge.js';

/** The part of a NATS connection, as `connect()` of `@nats-io/transport-node` gives it, that shards and coordinators use. */
export type NatsConnection = import('@nats-io/transport-node').NatsConnection;

/** What shards of a catalogue have in common. */
export interface CatalogueFacts {
  of: number;
  version: string;
  items: number;
  dims: number;
  flat: boolean;
  /** Recall target of requests that name neither `recall` nor `probes`; null where they look at a number of clusters. */
  recall: number | null;
  /** As `describe()` of one shard tells. */
  described: ModelDescription;
}

export type ShardRequest = { kind: 'facts' } | { kind: 'retrieve'; request: RetrieveRequest };

export type ShardReply =
  | { kind: 'facts'; facts: CatalogueFacts }
  | { kind: 'answer'; version: string; answer: ShardAnswer }
  | { kind: 'error'; version: string; code: ErrorCode; message: string; details: Record<string, unknown> };

const NAME = /^[A-Za-z0-9_-]+$/;

/** The subject of a shard; replicas of one shard are a queue group. @throws SilverlodeError `INVALID_ARGUMENT` for a bad name. */
export function shardSubject(name: string, index: number): string {
  return `${prefix(name)}.shard.${index}`;
}

/** The subject that any shard of a catalogue tells its facts at. */
export function factsSubject(name: string): string {
  return `${prefix(name)}.facts`;
}

function prefix(name: string): string {
  if (typeof name === 'string' && NAME.test(name)) return `silverlode.${name}`;
  throw new SilverlodeError('INVALID_ARGUMENT', `a name has letters, digits, _ and -, got ${JSON.stringify(name)}`);
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for what cannot be sent, such as a function. */
export function encode(message: ShardRequest | ShardReply): Uint8Array {
  try {
    return serialize(message);
  } catch (cause) {
    throw new SilverlodeError('INVALID_ARGUMENT', `cannot be sent: ${(cause as Error).message}`, {}, { cause });
  }
}

/** @throws SilverlodeError `INVALID_ARGUMENT` for bytes that are no message. */
export function decode<T extends ShardRequest | ShardReply>(bytes: Uint8Array): T {
  let message: T | undefined;
  try {
    message = deserialize(bytes) as T | undefined;
  } catch (cause) {
    throw new SilverlodeError('INVALID_ARGUMENT', 'the message is damaged', {}, { cause });
  }
  if (typeof message?.kind === 'string') return message;
  throw new SilverlodeError('INVALID_ARGUMENT', 'the message is of another kind');
}
