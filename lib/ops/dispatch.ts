// One way into every op: symbolic inputs are recorded, concrete ones run at once on the shared device.
import { SilverlodeError } from '../errors.js';
import { addon, type StepAttributes } from '../native/addon.js';
import { currentDevice, deviceFor } from '../native/device.js';
import { type AnyTensor, type OpAttributes, SymbolicTensor } from '../program/trace.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * What an op returns for inputs of type `I`: a symbolic tensor while tracing, else a promise (ops never run on the
 * event loop).
 */
export type OpResult<I, R> = I extends SymbolicTensor ? R : Promise<R>;

/** A tensor of dtype `D` of the same kind as `I`: symbolic while tracing, else concrete. */
export type As<I, D extends DType> = I extends SymbolicTensor ? SymbolicTensor<D> : Tensor<D>;

/** Outputs before an op's signature says what they are; `never` fits every type that it may state. */
type OpOutputs = [never, never, never, never, never];

/** A length given as a number, or as the name of a symbol while tracing. */
export type Length = number | string;

export function lengthAttribute(length: Length): number | { symbol: string } {
  if (typeof length === 'number' && !(Number.isInteger(length) && length >= 1)) {
    throw new SilverlodeError('INVALID_ARGUMENT', `k must be a positive integer, got ${length}`);
  }
  return typeof length === 'number' ? length : { symbol: length };
}

/**
 * Runs or records an op; `pick` shapes its outputs.
 *
 * @throws SilverlodeError of the op's own validation, before any work.
 */
export function dispatch<I extends AnyTensor, R>(
  op: string,
  inputs: readonly (AnyTensor | undefined)[],
  attributes: OpAttributes,
  pick: (outputs: OpOutputs) => R,
): OpResult<I, R> {
  for (const input of inputs) {
    if (input !== undefined && !(input instanceof Tensor) && !(input instanceof SymbolicTensor)) {
      throw new SilverlodeError('INVALID_ARGUMENT', `${op}: inputs must be tensors, got ${typeof input}`);
    }
  }
  const symbolic = inputs.find((input): input is SymbolicTensor => input instanceof SymbolicTensor);
  if (symbolic) return pick(symbolic.trace.step(op, inputs, attributes) as OpOutputs) as OpResult<I, R>;
  return runEager(op, inputs as readonly (Tensor | undefined)[], attributes).then((outputs) =>
    pick(outputs as OpOutputs),
  ) as OpResult<I, R>;
}

async function runEager(
  op: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: OpAttributes,
): Promise<Tensor[]> {
  const handles = inputs.map((input) => input?.native ?? null);
  const placed = inputs.find((input) => input !== undefined && input.device !== 'cpu');
  const device = placed ? deviceFor(placed.device) : currentDevice();
  const outputs = await addon().runOp(device, op, attributes as StepAttributes, handles);
  return outputs.map((output) => new Tensor<DType>(output));
}
