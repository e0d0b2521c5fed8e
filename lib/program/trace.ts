// Recording a program: ops applied to symbolic tensors become steps.
import { SilverlodeError } from '../errors.js';
import { addon, type NativeSpec, type ProgramSpec, type StepAttribute, type StepAttributes } from '../native/addon.js';
import { type DType, requireDtype } from '../tensor/dtype.js';
import { type Dim, MAX_RANK } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** A value of a program that is being recorded: dtype and shape are known, elements are not. */
export class SymbolicTensor<D extends DType = DType> {
  /** @internal */
  constructor(
    /** @internal */ readonly trace: Trace,
    /** @internal */ readonly value: number,
    readonly dtype: D,
    readonly shape: readonly Dim[],
  ) {}
}

/** What an op takes: a concrete tensor, or a symbolic one while a module is traced. */
export type AnyTensor<D extends DType = DType> = Tensor<D> | SymbolicTensor<D>;

/** dtype and shape of a program input; a text in the shape names a symbol, usually `'batch'`. */
export interface InputSpec {
  dtype: DType;
  shape: readonly Dim[];
}

interface Recorded extends InputSpec {
  name: string;
}

/** Attributes as ops give them; texts inside shapes and for dimensions name symbols (`{symbol: 'k'}`). */
export type OpAttributes = Readonly<Record<string, StepAttribute | { symbol: string } | readonly Dim[]>>;

interface Source {
  kind: 'input' | 'constant' | 'step';
  index: number;
  /** Which output of the step. */
  output?: number;
}

/** One recording in progress. */
export class Trace {
  readonly symbols: string[] = [];
  readonly #inputs: Recorded[] = [];
  readonly #constants: { name: string; tensor: Tensor }[] = [];
  readonly #constantOf = new Map<Tensor, SymbolicTensor>();
  readonly #steps: {
    op: string;
    label: string;
    attributes: StepAttributes;
    inputs: (number | undefined)[];
    outputs: number;
  }[] = [];
  readonly #sources: Source[] = [];
  #scope: string[] = [];

  /** @param names Names of tensors that belong to the traced module; others are numbered. */
  constructor(readonly names: ReadonlyMap<Tensor, string> = new Map()) {}

  input(name: string, spec: InputSpec): SymbolicTensor {
    requireSpec(name, spec);
    this.#inputs.push({ name, ...spec });
    for (const dim of spec.shape) this.#encode(dim);
    return this.#add({ kind: 'input', index: this.#inputs.length - 1 }, spec.dtype, spec.shape);
  }

  /** A concrete tensor used inside `forward`: a weight or part of an index. */
  constant(tensor: Tensor): SymbolicTensor {
    const known = this.#constantOf.get(tensor);
    if (known) return known;
    const name = this.names.get(tensor) ?? this.#unusedName();
    this.#constants.push({ name, tensor });
    const made = this.#add({ kind: 'constant', index: this.#constants.length - 1 }, tensor.dtype, tensor.shape);
    this.#constantOf.set(tensor, made);
    return made;
  }

  /** No module's parameter may be called like a tensor that has no name. */
  #unusedName(): string {
    const taken = new Set(this.names.values());
    for (let n = this.#constants.length; ; n++) if (!taken.has(`constant.${n}`)) return `constant.${n}`;
  }

  step(op: string, inputs: readonly (AnyTensor | undefined)[], attributes: OpAttributes): SymbolicTensor[] {
    const symbolic = inputs.map((input) => (input instanceof Tensor ? this.constant(input) : input));
    for (const input of symbolic) if (input) this.#requireOwn(input, op);
    const encoded = this.#attributes(attributes);
    const specs = this.#infer(
      op,
      encoded,
      symbolic.map((input) => (input ? this.#spec(input) : null)),
    );
    const index = this.#steps.length;
    this.#steps.push({
      op,
      label: this.#scope.join('.'),
      attributes: encoded,
      inputs: symbolic.map((input) => input?.value),
      outputs: specs.length,
    });
    return specs.map((spec, output) =>
      this.#add(
        { kind: 'step', index, output },
        spec.dtype,
        spec.shape.map((dim) => this.#decode(dim)),
      ),
    );
  }

  /** Names the part of the module tree that `record` runs in, for profiles and errors. */
  scoped<T>(name: string, record: () => T): T {
    this.#scope.push(name);
    try {
      return record();
    } finally {
      this.#scope.pop();
    }
  }

  /** Values are renumbered: inputs, then constants, then step outputs. */
  finish(outputs: readonly SymbolicTensor[]): { spec: ProgramSpec; constants: Tensor[] } {
    for (const output of outputs) this.#requireOwn(output, 'forward');
    const firstOutput: number[] = [];
    let next = this.#inputs.length + this.#constants.length;
    for (const step of this.#steps) {
      firstOutput.push(next);
      next += step.outputs;
    }
    const renumber = (value: number | undefined): number => {
      if (value === undefined) return -1;
      const source = this.#sources[value] as Source;
      if (source.kind === 'input') return source.index;
      if (source.kind === 'constant') return this.#inputs.length + source.index;
      return (firstOutput[source.index] as number) + (source.output ?? 0);
    };
    const spec: ProgramSpec = {
      symbols: this.symbols,
      inputs: this.#inputs.map(({ name, dtype, shape }) => ({
        name,
        dtype,
        shape: shape.map((dim) => this.#encode(dim)),
      })),
      constants: this.#constants.map(({ name, tensor }) => ({ name, dtype: tensor.dtype, shape: [...tensor.shape] })),
      steps: this.#steps.map((step) => ({ ...step, inputs: step.inputs.map(renumber) })),
      outputs: outputs.map((output) => renumber(output.value)),
    };
    return { spec, constants: this.#constants.map(({ tensor }) => tensor) };
  }

  #requireOwn(value: SymbolicTensor, user: string): void {
    if (value.trace !== this)
      throw new SilverlodeError('INVALID_ARGUMENT', `${user}: a tensor belongs to another trace`);
  }

  /** Output specs of an op; what is wrong with its inputs says in which module. */
  #infer(op: string, attributes: StepAttributes, inputs: readonly (NativeSpec | null)[]): NativeSpec[] {
    try {
      return addon().inferOp(op, attributes, inputs);
    } catch (error) {
      const module = this.#scope.join('.');
      if (module === '' || !(error instanceof SilverlodeError)) throw error;
      throw new SilverlodeError(error.code, `${error.message} (in ${module})`, { ...error, module }, { cause: error });
    }
  }

  #add(source: Source, dtype: DType, shape: readonly Dim[]): SymbolicTensor {
    this.#sources.push(source);
    return new SymbolicTensor(this, this.#sources.length - 1, dtype, shape);
  }

  #spec(tensor: SymbolicTensor): NativeSpec {
    return { dtype: tensor.dtype, shape: tensor.shape.map((dim) => this.#encode(dim)) };
  }

  /** -1 is symbols[0], as everywhere on the native side. */
  #encode(dim: Dim): number {
    if (typeof dim === 'number') return dim;
    if (!this.symbols.includes(dim)) this.symbols.push(dim);
    return -1 - this.symbols.indexOf(dim);
  }

  #decode(dim: number): Dim {
    return dim < 0 ? (this.symbols[-1 - dim] as string) : dim;
  }

  #attributes(attributes: OpAttributes): StepAttributes {
    const entries = Object.entries(attributes).map(([name, value]): [string, StepAttribute] => {
      if (Array.isArray(value)) return [name, (value as Dim[]).map((dim) => this.#encode(dim))];
      if (typeof value === 'object') return [name, this.#encode((value as { symbol: string }).symbol)];
      return [name, value];
    });
    return Object.fromEntries(entries);
  }
}

function requireSpec(name: string, { dtype, shape }: InputSpec): void {
  requireDtype(dtype);
  const fits = (dim: Dim) => (typeof dim === 'string' ? dim !== '' : Number.isSafeInteger(dim) && dim >= 0);
  if (Array.isArray(shape) && shape.length <= MAX_RANK && shape.every(fits)) return;
  const expected = `at most ${MAX_RANK} sizes or names of symbols`;
  throw new SilverlodeError(
    'INVALID_ARGUMENT',
    `input '${name}': a shape is ${expected}, got ${JSON.stringify(shape)}`,
  );
}
