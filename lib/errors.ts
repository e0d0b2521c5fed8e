/** Every way in which Silverlode refuses or fails. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'SHAPE_MISMATCH'
  | 'UNSUPPORTED_DTYPE'
  | 'FILTER_SYNTAX'
  | 'UNKNOWN_FIELD'
  | 'FORMULA_SYNTAX'
  | 'LIMIT_EXCEEDED'
  | 'DEVICE_UNAVAILABLE'
  | 'OUT_OF_MEMORY'
  | 'IO_ERROR'
  | 'CORRUPT_FILE'
  | 'UNSUPPORTED_VERSION'
  | 'DISPOSED'
  | 'ABORTED'
  | 'DEADLINE'
  | 'OVERLOADED'
  | 'NOT_READY'
  | 'PARTIAL'
  | 'CUDA_ERROR'
  | 'INTERNAL';

/** Facts that belong to one error, e.g. `{position: 12, field: 'language'}`. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * The one exception type that this package throws.
 *
 * Details become own enumerable properties, so `error.position`, `error.field` or `error.item` can be read directly
 * and survive `JSON.stringify({...error})`. They never replace `name`, `message`, `stack`, `cause` or `code`.
 *
 * @example
 * ```ts
 * try {
 *   parseFilter('language:');
 * } catch (error) {
 *   if (error instanceof SilverlodeError && error.code === 'FILTER_SYNTAX') console.error(error.position);
 * }
 * ```
 */
export class SilverlodeError extends Error {
  readonly code: ErrorCode;
  readonly [detail: string]: unknown;

  /**
   * @param code What kind of failure this is.
   * @param message One sentence for the person who has to act on it.
   * @param details Facts to attach as own properties.
   * @param options `cause`: the lower-level error that led here.
   */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options);
    const { name: _name, message: _message, stack: _stack, cause: _cause, ...own } = details;
    Object.assign(this, own);
    this.code = code;
  }

  static {
    this.prototype.name = 'SilverlodeError';
  }
}

/** Refuses misspelt options instead of ignoring them. @throws SilverlodeError `INVALID_ARGUMENT` with `option`. */
export function requireKnown(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new SilverlodeError('INVALID_ARGUMENT', `${where} must be an object`);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const message = `unknown option '${name}' in ${where}; known: ${known.join(', ')}`;
    throw new SilverlodeError('INVALID_ARGUMENT', message, { option: name });
  }
}

/** @throws SilverlodeError `INVALID_ARGUMENT` with the details given. */
export function requireBoolean(name: string, value: unknown, details: ErrorDetails = {}): void {
  if (typeof value === 'boolean') return;
  throw new SilverlodeError('INVALID_ARGUMENT', `${name} must be a boolean, got ${String(value)}`, details);
}
