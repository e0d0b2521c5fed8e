// Shards, and the front before them.
import { serveShard } from '../../cluster/serve_shard.js';
import { ShardedModel } from '../../cluster/sharded_model.js';
import { untilSignal } from '../../serve/http/shutdown.js';
import { ModelHub } from '../../serve/model_hub.js';
import { requireServicePeers } from '../../serve/peers.js';
import { connectUrl } from '../nats.js';
import type { Output } from '../output.js';
import { answerOverHttp, type HttpFlags, modelName } from './serve.js';

/** Options of `silverlode serve FOLDER --shard`. */
export interface ShardFlags {
  device?: string;
  threads?: number;
  verify: boolean;
  shard: string;
  nats: string;
}

/** Options of `silverlode front`. */
export interface FrontFlags extends HttpFlags {
  nats: string;
  name: string;
  partial: boolean;
}

/** Answers for a shard until SIGTERM or SIGINT; the catalogue is called like its folder. */
export async function runServeShard(folder: string, flags: ShardFlags, output: Output): Promise<void> {
  const { device, threads, verify, shard } = flags;
  const name = modelName(folder);
  const stopped = untilSignal();
  const nats = await connectUrl(flags.nats);
  try {
    await using served = await serveShard(folder, { nats, shard, name, load: { device, threads, verify } });
    const { items, version } = served;
    output.result({ name, shard, items, version }, () => `serving shard ${shard} of ${name}, ${items} items`);
    await stopped;
  } finally {
    await nats.close();
  }
}

/** Answers over HTTP for the shards of a catalogue until SIGTERM or SIGINT. */
export async function runFront(flags: FrontFlags, output: Output): Promise<void> {
  const stopped = untilSignal();
  await requireServicePeers();
  const nats = await connectUrl(flags.nats);
  const { maxBatch, maxDelayUs, maxQueue, name, partial } = flags;
  const hub = new ModelHub({ batching: { maxBatch, maxDelayMicroseconds: maxDelayUs, maxQueue } });
  try {
    await hub.add(name, await ShardedModel.connect(nats, { name, partial }));
    await answerOverHttp(hub, { ...flags, changes: false }, output, stopped);
  } finally {
    await hub.close();
    await nats.close();
  }
}
