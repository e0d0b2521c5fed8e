// The subpath 'silverlode/cluster': a catalogue in shards.
export { type CutOptions, cutModel } from './cut.js';
export type { NatsConnection } from './messages.js';
export { type ServedShard, type ServeShardOptions, serveShard } from './serve_shard.js';
export { type ConnectOptions, ShardedModel } from './sharded_model.js';
