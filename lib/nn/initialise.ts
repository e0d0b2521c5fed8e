import { Random } from '../data/random.js';
import { SilverlodeError } from '../errors.js';
import { elementCount } from '../tensor/shape.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

/** Uniform weights in ±1/sqrt(fanIn), the same for the same shape; meant to be replaced by `loadStateDict`. */
export function initialise(shape: readonly number[], fanIn: number): Tensor {
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new SilverlodeError('INVALID_ARGUMENT', `layer sizes must be positive integers, got [${shape.join(', ')}]`);
  }
  const random = new Random(elementCount(shape));
  const bound = 1 / Math.sqrt(fanIn);
  const values = Float32Array.from({ length: elementCount(shape) }, () => (2 * random.uniform() - 1) * bound);
  return tensor(values, { shape });
}
