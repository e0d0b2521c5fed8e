// Programs as files: the steps as JSON and the constants that they read, in one safetensors file, run without the classes that made them.
import { SilverlodeError } from '../errors.js';
import type { NativeDevice, ProgramSpec } from '../native/addon.js';
import { readModelFile, writeModelFile } from '../snapshot/model_file.js';
import type { Tensor } from '../tensor/tensor.js';
import type { OutputNames } from './program.js';

/** Version of what `manifest` holds; files of others are refused. */
const FORMAT = 1;
/** Before the name of a constant, so that none of them meets the names that files keep for themselves. */
const PREFIX = 'constants.';

/** What a program is besides its constants. */
export interface SavedProgram {
  spec: ProgramSpec;
  names: OutputNames;
  /** Largest values of symbols. */
  limits: Readonly<Record<string, number>>;
}

/** @throws SilverlodeError `IO_ERROR`, `ABORTED`. */
export async function writeProgram(
  device: NativeDevice,
  path: string,
  { spec, names, limits }: SavedProgram,
  constants: readonly Tensor[],
  signal?: AbortSignal,
): Promise<void> {
  const entries = spec.constants.map(({ name }, i): [string, Tensor] => [PREFIX + name, constants[i] as Tensor]);
  const manifest = { kind: 'program', format: FORMAT, spec, outputs: names ?? null, limits };
  const json = new TextEncoder().encode(JSON.stringify(manifest));
  await writeModelFile(device, path, new Map(entries), json, signal);
}

/**
 * What steps and shapes hold is checked when the program is planned.
 *
 * @throws SilverlodeError `IO_ERROR`, `CORRUPT_FILE` naming the tensor or field, `UNSUPPORTED_VERSION`, `INVALID_ARGUMENT` for a file
 * that holds something else.
 */
export async function readProgram(
  device: NativeDevice,
  path: string,
  verify: boolean,
): Promise<SavedProgram & { constants: Tensor[] }> {
  const tensors = await readModelFile(device, path, verify);
  const { spec, names, limits } = parse(path, tensors.get('manifest'));
  const constants = spec.constants.map(({ name, dtype, shape }) => {
    const constant = tensors.get(PREFIX + name);
    const fits = constant?.dtype === dtype && constant.shape.join() === shape.join();
    if (fits) return constant;
    const problem = constant === undefined ? 'is missing' : 'has another dtype or shape than the program says';
    throw new SilverlodeError('CORRUPT_FILE', `${path}: constant '${name}' ${problem}`, { path, tensor: name });
  });
  return { spec, names, limits, constants };
}

function parse(path: string, bytes: Tensor | undefined): SavedProgram {
  const corrupt = (field: string) =>
    new SilverlodeError('CORRUPT_FILE', `${path}: the manifest's '${field}' is missing or out of range`, {
      path,
      field,
    });
  let manifest: Record<string, unknown> | null;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes?.view() as Uint8Array));
  } catch {
    throw corrupt('manifest');
  }
  if (manifest?.kind !== 'program')
    throw new SilverlodeError('INVALID_ARGUMENT', `${path} is no program; RetrievalModel.load reads models`, { path });
  const { format, spec, outputs, limits } = manifest;
  if (format !== FORMAT)
    throw new SilverlodeError('UNSUPPORTED_VERSION', `${path}: programs of version ${String(format)} are unknown`, {
      path,
    });
  if (!isProgramSpec(spec)) throw corrupt('spec');
  const isName = (name: unknown) => typeof name === 'string';
  const count = spec.outputs.length;
  const namesFit = outputs === null ? count === 1 : isList(outputs, isName) && (outputs as string[]).length === count;
  if (!namesFit) throw corrupt('outputs');
  const isLimit = (limit: unknown) => Number.isSafeInteger(limit) && (limit as number) >= 0;
  if (typeof limits !== 'object' || limits === null || !isList(Object.values(limits), isLimit)) throw corrupt('limits');
  return { spec, names: (outputs as string[] | null) ?? undefined, limits: limits as Record<string, number> };
}

/** Whether something read from a file has the form of a program. */
export function isProgramSpec(value: unknown): value is ProgramSpec {
  const { symbols, inputs, constants, steps, outputs } = (value ?? {}) as Partial<ProgramSpec>;
  const isNamed = (entry: unknown) => {
    const { name, dtype, shape } = (entry ?? {}) as { name?: unknown; dtype?: unknown; shape?: unknown };
    return typeof name === 'string' && typeof dtype === 'string' && isList(shape, Number.isSafeInteger);
  };
  return (
    isList(symbols, (symbol) => typeof symbol === 'string') &&
    isList(inputs, isNamed) &&
    isList(constants, isNamed) &&
    isList(steps, (step) => typeof step === 'object' && step !== null) &&
    isList(outputs, Number.isSafeInteger)
  );
}

/** Whether something is a list whose entries all fit. */
export function isList(value: unknown, fits: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}
