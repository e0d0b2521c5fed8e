/** Where a node of a filter or formula came from: only error reports need it, so it stays outside the tree. */
export interface Origin {
  /** UTF-16 offset of the node in its text. */
  readonly position?: number;
  /** UTF-16 offsets of the node's literals, in their order. */
  readonly literals?: readonly number[];
  /** Place of the node in the tree it was given as, such as `$.and[1]`. */
  readonly path?: string;
}

const origins = new WeakMap<object, Origin>();

/** Remembers where `node` came from and returns it. */
export function withOrigin<T extends object>(node: T, origin: Origin): T {
  origins.set(node, origin);
  return node;
}

/** Where `node` came from; an empty origin when that is not known. */
export function originOf(node: object): Origin {
  return origins.get(node) ?? {};
}
