// A shard in a process of its own: node shard.mjs URL FOLDER I/N NAME. Says 'ready' when it answers.
import { connect } from '@nats-io/transport-node';
import { serveShard } from '../../dist/cluster/index.js';

const [servers, folder, shard, name] = process.argv.slice(2);
const nats = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
await serveShard(folder, { nats, shard, name, load: { threads: 1 } });
console.log('ready');
