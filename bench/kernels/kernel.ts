// One kernel at one size: an op on tensors that stay on the device, timed there.
import { compile, type DType, type InputSpec, Module, type SymbolicTensor, type Tensor } from 'silverlode';

/** An op at one size, with what it must move and compute at least. */
export interface KernelCase<Name extends string = string> {
  /** What `--filter` looks at: op and sizes. */
  name: string;
  /** The op whose steps are timed. */
  op: string;
  bytes: number;
  /** Multiplications and additions count one each. */
  operations: number;
  /** What the case is held against: bandwidth or the matrix rate. */
  bound: 'bandwidth' | 'matrix';
  /** Makes the inputs, on the host. */
  inputs(): Readonly<Record<Name, Tensor>>;
  record(inputs: Readonly<Record<Name, SymbolicTensor>>): Readonly<Record<string, SymbolicTensor>>;
}

/** Ties the names that `record` reads to those that `inputs` gives. */
export function kernelCase<Name extends string>(each: KernelCase<Name>): KernelCase {
  return each as KernelCase;
}

class Kernel extends Module {
  constructor(private readonly each: KernelCase) {
    super();
  }

  forward(inputs: Readonly<Record<string, SymbolicTensor>>) {
    return this.each.record(inputs);
  }
}

/** Milliseconds of the op in each of some runs, by the device's own clock where it has one; the first runs do not count. */
export async function timeKernel(each: KernelCase, device: string, runs: number): Promise<number[]> {
  const given = each.inputs();
  const specs = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]): [string, InputSpec] => [
      name,
      { dtype: dtype as DType, shape: [...shape] },
    ]),
  );
  const placed: Record<string, Tensor> = {};
  for (const [name, host] of Object.entries(given)) {
    placed[name] = await host.to(device);
    if (placed[name] !== host) host.dispose();
  }
  const program = await compile(new Kernel(each), { inputs: specs, device });
  try {
    const times: number[] = [];
    for (let run = -3; run < runs; run++) {
      const steps = await program.profile(placed);
      const ofOp = steps.filter(({ op }) => op === each.op);
      if (run >= 0) times.push(ofOp.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
    }
    return times.toSorted((a, b) => a - b);
  } finally {
    program.dispose();
    for (const tensor of Object.values(placed)) tensor.dispose();
  }
}
