// Logs that models follow: re-exports only.
export { type CodecOptions, decodeUpdate, encodeUpdate } from './codec.js';
export { type NatsConnection, type NatsLogOptions, natsEnd, natsLog } from './nats.js';
