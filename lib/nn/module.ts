// Modules: named tensors and a forward function over symbolic tensors, in the manner of PyTorch.
import { requireKnown, SilverlodeError } from '../errors.js';
import { SymbolicTensor } from '../program/trace.js';
import type { StateDictEntry } from '../snapshot/state_dict.js';
import type { TensorArray } from '../tensor/dtype.js';
import { bfloat16ToFloats, float16ToFloats } from '../tensor/half.js';
import { Tensor, tensor } from '../tensor/tensor.js';

/** Named tensors, in PyTorch's naming: `layers.0.weight`. */
export type StateDict = ReadonlyMap<string, Tensor | StateDictEntry>;

/**
 * A part of a model. Subclasses keep tensors and other modules in their fields and say in `forward` what is computed.
 * Fields that hold tensors are parameters; those named in `bufferNames` are buffers (state that is not learned).
 *
 * `forward` is ordinary TypeScript; `compile()` calls it once with symbolic tensors and records the ops.
 */
export abstract class Module {
  /** Names of tensor fields that are buffers. */
  protected readonly bufferNames: readonly string[] = [];

  // biome-ignore lint/suspicious/noExplicitAny: every module chooses its own arguments and result
  abstract forward(...inputs: any[]): any;

  /** Learned tensors by name, children's names prefixed with the field that holds them. */
  parameters(): Map<string, Tensor> {
    return this.#tensors(false);
  }

  /** Tensors that belong to the module but are not learned, such as an index. */
  buffers(): Map<string, Tensor> {
    return this.#tensors(true);
  }

  /** Parameters and buffers together. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.parameters(), ...this.buffers()]);
  }

  /**
   * Replaces tensors by name. Shapes must agree; float weights may come as float32, float16 or bfloat16, as they do from
   * `model.half()`. Those that ops read as float32 alone, biases and the like, are widened, which is exact.
   *
   * @param options `strict` (default true): missing and unexpected names are an error instead of being reported.
   * @throws SilverlodeError `INVALID_ARGUMENT`, `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`; nothing is replaced then.
   */
  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): { missing: string[]; unexpected: string[] } {
    requireKnown('loadStateDict options', options, ['strict']);
    const own = this.stateDict();
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    if ((options.strict ?? true) && (missing.length > 0 || unexpected.length > 0)) {
      throw new SilverlodeError(
        'INVALID_ARGUMENT',
        `state dict does not fit: missing [${missing.join(', ')}], unexpected [${unexpected.join(', ')}]`,
        { missing, unexpected },
      );
    }
    const replacements = [...own]
      .filter(([name]) => state.has(name))
      .map(([name, current]) => {
        const replacement = asTensor(state.get(name) as Tensor | StateDictEntry);
        requireCompatible(name, current, replacement);
        const isWide = current.dtype === 'float32' && this.#ownerOf(name.split('.')).staysFloat32(current);
        return [name, isWide ? widened(replacement) : replacement] as const;
      });
    for (const [name, replacement] of replacements) this.#replace(name.split('.'), replacement);
    return { missing, unexpected };
  }

  /** Child modules by field name; list fields give `layers.0`, `layers.1`, … */
  children(): [string, Module][] {
    return Object.entries(this).flatMap(([name, value]): [string, Module][] => {
      if (value instanceof Module) return [[name, value]];
      if (!Array.isArray(value)) return [];
      return value.flatMap((entry, i): [string, Module][] =>
        entry instanceof Module ? [[`${name}.${i}`, entry]] : [],
      );
    });
  }

  #tensors(buffers: boolean): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Tensor && this.bufferNames.includes(name) === buffers) found.set(name, value);
    }
    for (const [prefix, child] of this.children()) {
      for (const [name, value] of child.#tensors(buffers)) found.set(`${prefix}.${name}`, value);
    }
    return found;
  }

  /** Whether a tensor of this module is read as float32 alone: by default every one of fewer than two dimensions. */
  protected staysFloat32(current: Tensor): boolean {
    return current.shape.length < 2;
  }

  #replace(path: readonly string[], replacement: Tensor): void {
    const fields = this.#ownerOf(path) as unknown as Record<string, unknown>;
    fields[path.at(-1) as string] = replacement;
  }

  /** The module whose field a name ends with. */
  #ownerOf([head, ...rest]: readonly string[]): Module {
    if (rest.length === 0) return this;
    const value = (this as unknown as Record<string, unknown>)[head as string];
    if (value instanceof Module) return value.#ownerOf(rest);
    return ((value as Module[])[Number(rest[0])] as Module).#ownerOf(rest.slice(1));
  }
}

/** Runs a child's `forward` under its name, so that steps and profiles show where they come from. */
export function call<M extends Module>(
  name: string,
  module: M,
  ...inputs: Parameters<M['forward']>
): ReturnType<M['forward']> {
  const run = () => module.forward(...inputs);
  const symbolic = symbolicIn(inputs);
  return symbolic ? symbolic.trace.scoped(name, run) : run();
}

/** Any symbolic tensor among arguments, which may come in lists and plain objects. */
function symbolicIn(value: unknown): SymbolicTensor | undefined {
  if (value instanceof SymbolicTensor) return value;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(Object(value)) === Object.prototype;
  if (!isPlain || value === undefined) return undefined;
  for (const entry of Object.values(value as object)) {
    const found = symbolicIn(entry);
    if (found) return found;
  }
  return undefined;
}

const FLOATS = ['float32', 'float16', 'bfloat16'];

function requireCompatible(name: string, current: Tensor, replacement: Tensor): void {
  if (current.shape.join() !== replacement.shape.join()) {
    throw new SilverlodeError(
      'SHAPE_MISMATCH',
      `${name} has shape [${replacement.shape.join(', ')}], expected [${current.shape.join(', ')}]`,
      { name },
    );
  }
  const bothFloat = FLOATS.includes(current.dtype) && FLOATS.includes(replacement.dtype);
  if (current.dtype !== replacement.dtype && !bothFloat) {
    throw new SilverlodeError('UNSUPPORTED_DTYPE', `${name} is ${replacement.dtype}, expected ${current.dtype}`, {
      name,
    });
  }
}

/** The same numbers in float32. */
function widened(half: Tensor): Tensor {
  if (half.dtype === 'float32') return half;
  const widen = half.dtype === 'float16' ? float16ToFloats : bfloat16ToFloats;
  return tensor(widen((half as Tensor<'float16'>).view()), { shape: half.shape }) as Tensor;
}

function asTensor(entry: Tensor | StateDictEntry): Tensor {
  if (entry instanceof Tensor) return entry;
  return tensor(entry.data as TensorArray, { dtype: entry.dtype, shape: entry.shape });
}
