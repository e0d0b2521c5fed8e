/** A Map that grows moves all its entries at once, which for millions of them would hold up the event loop: so many share them. */
const SHARDS = 64;
/** Characters at the end of a string that its shard follows from; keys that have these in common only share more. */
const TAIL = 4;

/** Numbers by key, for lists of millions; keys are compared as a Map compares them. */
export class ShardedMap<K> {
  readonly #shards = Array.from({ length: SHARDS }, () => new Map<K, number>());

  get(key: K): number | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  /** False, and nothing changes, for a key that is known. */
  add(key: K, value: number): boolean {
    const shard = this.#shards[shardOf(key)] as Map<K, number>;
    if (shard.has(key)) return false;
    shard.set(key, value);
    return true;
  }
}

/** Of any value: what is looked up may come from anywhere. */
function shardOf(key: unknown): number {
  if (typeof key === 'number') return key & (SHARDS - 1);
  if (typeof key === 'bigint') return Number(BigInt.asUintN(32, key)) & (SHARDS - 1);
  if (typeof key !== 'string') return 0;
  let hash = key.length;
  for (let at = Math.max(0, key.length - TAIL); at < key.length; at++) hash = Math.imul(hash, 31) + key.charCodeAt(at);
  return (hash ^ (hash >>> 7)) & (SHARDS - 1);
}
