// One or a few ops as a compiled program, called as a user's program is.
import {
  compile,
  type DType,
  type InputSpec,
  Module,
  type Program,
  type SymbolicTensor,
  type Tensor,
} from 'silverlode';

type Tensors<Name extends string> = Readonly<Record<Name, Tensor>>;
type Symbols<Name extends string> = Readonly<Record<Name, SymbolicTensor>>;

class Recorded<Name extends string> extends Module {
  constructor(private readonly record: (inputs: Symbols<Name>) => Readonly<Record<string, SymbolicTensor>>) {
    super();
  }

  forward(inputs: Symbols<Name>) {
    return this.record(inputs);
  }
}

/** A program and the inputs it is always called with; they are shared, not copied. */
export class FixedCall<Name extends string> {
  private constructor(
    private readonly program: Program<Record<string, Tensor>>,
    private readonly inputs: Tensors<Name>,
  ) {}

  /** @param record The ops; tensors that they mention beside the inputs become constants of the program, as weights are. */
  static async compile<Name extends string>(
    inputs: Tensors<Name>,
    record: (inputs: Symbols<Name>) => Readonly<Record<string, SymbolicTensor>>,
    threads: number,
  ): Promise<FixedCall<Name>> {
    const specs = Object.fromEntries(
      Object.entries<Tensor>(inputs).map(([name, { dtype, shape }]): [string, InputSpec] => [
        name,
        { dtype: dtype as DType, shape: [...shape] },
      ]),
    );
    const program = await compile(new Recorded(record), { inputs: specs, threads, device: 'cpu' });
    return new FixedCall(program as Program<Record<string, Tensor>>, inputs);
  }

  /** Whole call: JavaScript, the border, native work, new outputs. */
  async run(): Promise<void> {
    for (const output of Object.values(await this.program.run(this.inputs))) output.dispose();
  }

  /** The outputs, to be disposed by the caller. */
  outputs(): Promise<Record<string, Tensor>> {
    return this.program.run(this.inputs);
  }

  /** Native milliseconds of one op in one call. */
  async native(op: string): Promise<number> {
    const steps = await this.program.profile(this.inputs);
    return steps.reduce((sum, step) => sum + (step.op === op ? step.milliseconds : 0), 0);
  }

  dispose(): void {
    this.program.dispose();
  }
}
