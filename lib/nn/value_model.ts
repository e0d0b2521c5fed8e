import { requireKnown, SilverlodeError } from '../errors.js';
import { valueModel } from '../ops/value_model.js';
import type { AnyTensor, SymbolicTensor } from '../program/trace.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import type { FormulaExpr } from '../value/ast.js';
import { compileFormula, type ValueProgram } from '../value/compile.js';
import { Module } from './module.js';

/** What a value formula may read. */
export interface ValueModelOptions {
  tasks?: readonly string[];
  /** Names of item columns, in the order of their table. */
  columns?: readonly string[];
  /** Defaults of request weights. */
  weights?: Readonly<Record<string, number>>;
}

/** One formula that turns task logits into one score; language in the README, limits in `compileFormula`. */
export class ValueModel extends Module {
  protected override readonly bufferNames = ['steps', 'constants'];
  readonly steps: Tensor;
  readonly constants: Tensor;
  readonly program: ValueProgram;

  /** @throws SilverlodeError `FORMULA_SYNTAX` with position; `INVALID_ARGUMENT` for a weight that the formula does not have. */
  constructor(formula: string | FormulaExpr, options: ValueModelOptions = {}) {
    super();
    requireKnown('ValueModel options', options, ['tasks', 'columns', 'weights']);
    const { tasks = [], columns = [], weights = {} } = options;
    this.program = compileFormula(formula, { tasks: [...tasks], columns: [...columns], weights });
    requireWeights(weights, this.program);
    this.steps = tensor(this.program.steps, { shape: [this.program.steps.length / 2, 2] });
    this.constants = tensor(this.program.constants);
  }

  /** Scores float32 [batch, m]; -Infinity for a missing candidate. */
  forward(inputs: {
    logits?: AnyTensor;
    scores: SymbolicTensor;
    ordinals: AnyTensor;
    columns?: AnyTensor;
    weights?: AnyTensor;
  }): SymbolicTensor {
    return valueModel({ ...inputs, steps: this.steps, constants: this.constants });
  }
}

function requireWeights(given: Readonly<Record<string, number>>, { weights }: ValueProgram): void {
  const known = weights.map(({ name }) => name);
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) {
      const message = `the value formula has no weight '${name}'; it has ${known.join(', ') || 'none'}`;
      throw new SilverlodeError('INVALID_ARGUMENT', message, { field: name });
    }
    if (typeof value !== 'number')
      throw new SilverlodeError('INVALID_ARGUMENT', `weights.${name} must be a number`, { field: name });
  }
}
