// Who asks: an embedding, or what the tower takes.
import { SilverlodeError } from '../../errors.js';
import type { InputSpecs } from '../../program/compile.js';
import type { InputSpec } from '../../program/trace.js';
import { requireExact } from '../../tensor/exact.js';
import { isDetached, isTypedArray, isTypedArrayOf } from '../../tensor/typed_array.js';
import { LARGEST_IN_QUERIES, rangeFault } from '../check_items.js';
import type { Manifest } from '../manifest.js';
import type { RetrieveRequest } from '../types.js';
import { invalid } from './numbers.js';

/** float32 [heads, dims]. @throws SilverlodeError */
export function embeddingOf(
  embedding: Float32Array | readonly Float32Array[],
  { dims, heads }: Manifest,
): Float32Array {
  const list = isTypedArrayOf(embedding, Float32Array) ? [embedding] : embedding;
  if (!Array.isArray(list) || list.length === 0 || list.some((head) => !isTypedArrayOf(head, Float32Array))) {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', 'embedding must be a Float32Array or a list of them');
  }
  if (heads !== null && list.length !== heads) {
    throw new SilverlodeError('SHAPE_MISMATCH', `the model takes ${heads} embedding(s) per user, got ${list.length}`);
  }
  const flat = new Float32Array(list.length * dims);
  list.forEach((head: Float32Array, h) => {
    if (head.length !== dims)
      throw new SilverlodeError('SHAPE_MISMATCH', `embedding has ${head.length} dimensions, the model ${dims}`);
    flat.set(head, h * dims);
  });
  for (let i = 0; i < flat.length; i++) {
    const fault = rangeFault(flat[i] as number, LARGEST_IN_QUERIES);
    if (fault !== undefined) throw invalid(`embedding holds ${fault}`, { field: 'embedding' });
  }
  return flat;
}

/** Inputs of the tower by dotted name. @throws SilverlodeError */
export function towerInputs(user: RetrieveRequest['user'], specs: InputSpecs | null): Map<string, ArrayLike<number>> {
  if (specs === null) throw invalid("this model has no tower: give 'embedding' instead of 'user'");
  if (typeof user !== 'object' || user === null) throw invalid('user must be an object of tower inputs');
  const values = new Map<string, ArrayLike<number>>();
  for (const name of Object.keys(user)) {
    if (!(name in specs))
      throw invalid(`the tower has no input '${name}'; it takes ${Object.keys(specs).join(', ')}`, { field: name });
  }
  for (const [name, spec] of Object.entries(specs)) {
    const value = user[name];
    if (value === undefined) throw invalid(`user.${name} is missing`, { field: name });
    const list = typeof value === 'number' ? [value] : value;
    if (!isNumberList(list)) throw invalid(`user.${name} must hold numbers`, { field: name });
    requireExact(`user.${name}`, list, raggedSpec(spec)?.dtype ?? (spec as InputSpec).dtype);
    const size = denseSize(spec);
    if (size !== undefined && list.length !== size) {
      throw new SilverlodeError('SHAPE_MISMATCH', `user.${name} has ${list.length} numbers, the tower takes ${size}`, {
        field: name,
      });
    }
    values.set(name, (list as number[] | Float32Array).slice()); // the caller may change its list while an earlier run is under way
  }
  return values;
}

/** Numbers per request of a dense tower input; undefined for one of variable length. */
function denseSize(spec: InputSpec | InputSpecs): number | undefined {
  if (raggedSpec(spec)) return undefined;
  return (spec as InputSpec).shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
}

/** Values of an input of variable length; undefined for a dense one. */
export function raggedSpec(spec: InputSpec | InputSpecs): InputSpec | undefined {
  return 'values' in spec ? (spec.values as InputSpec) : undefined;
}

function isNumberList(list: unknown): list is ArrayLike<number> {
  if (ArrayBuffer.isView(list))
    return (
      isTypedArray(list) &&
      !isDetached(list) &&
      !isTypedArrayOf(list, BigInt64Array) &&
      !isTypedArrayOf(list, BigUint64Array)
    );
  return Array.isArray(list) && list.every((value) => typeof value === 'number');
}
