import { importOnnx } from '../../onnx/index.js';
import type { InputSpec } from '../../program/trace.js';
import { type Output, properties, table } from '../output.js';

/** Describes what an ONNX model is here. */
export async function runImport(path: string, output: Output): Promise<void> {
  const module = await importOnnx(path);
  const inputs = Object.entries(module.inputs).map(([name, spec]) => {
    const { dtype, shape } = spec as InputSpec;
    return { name, dtype, shape };
  });
  const parameters = [...module.parameters()].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const numbers = parameters.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
  const { outputs, nodes } = module;
  output.result({ path, inputs, outputs, parameters, numbers, nodes }, () => {
    const counts = new Map<string, number>();
    for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
    const ops = [...counts].map(([op, count]) => (count === 1 ? op : `${op} x ${count}`)).join(', ');
    const shaped = (list: readonly { shape: readonly unknown[] }[]) =>
      table(list.map((each) => ({ ...each, shape: each.shape.join(' x ') })));
    return [
      properties({ outputs: outputs.join(', '), operators: ops, parameters: numbers }),
      shaped(inputs),
      shaped(parameters),
    ].join('\n\n');
  });
}
