import { SilverlodeError } from '../errors.js';
import { originOf } from '../language/origin.js';
import { excerpt, hint } from '../language/text.js';
import { type FormulaExpr, MAX_FORMULA_STACK, sourceOf } from './ast.js';
import { ARITY, type Operation, ValueOp } from './opcodes.js';
import { parseFormula } from './parser.js';

/** The names that a formula may use. */
export interface FormulaScope {
  /** Tasks of the reranker, in the order of its outputs. */
  readonly tasks: readonly string[];
  /** Item columns, in their order. A task hides a column of the same name. */
  readonly columns: readonly string[];
  /** Defaults of request weights; 0 for those not named here. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
}

/** A weight that requests may set. */
export interface WeightSlot {
  readonly name: string;
  readonly default: number;
}

/** A compiled formula: a postfix program of the native op `value_model`. */
export interface ValueProgram {
  /** Shape `[n, 2]`: opcode and argument, see `ValueOp`. */
  readonly steps: Int32Array;
  readonly constants: Float32Array;
  /** The weights that the formula names, in the order of their slots. */
  readonly weights: readonly WeightSlot[];
  /** The tasks that the formula reads; a step's argument is the index in the scope, not in here. */
  readonly tasks: readonly string[];
  /** The item columns that the formula reads; a step's argument is the index in the scope, not in here. */
  readonly columns: readonly string[];
  /** Values held at once while the steps run. */
  readonly stackDepth: number;
}

/**
 * Compiles a formula, given as text or as a tree. Nothing is folded or reordered, so that the program computes what the
 * formula says to the last bit.
 *
 * @throws {@link SilverlodeError} `FORMULA_SYNTAX` as {@link parseFormula} says; also, with the `position` (text) or
 *   `path` (tree), for an unknown name and for a formula that holds more than
 *   {@link MAX_FORMULA_STACK} values at once.
 */
export function compileFormula(formula: string | FormulaExpr, scope: FormulaScope): ValueProgram {
  const compiler = new Compiler(parseFormula(formula), scope);
  compiler.run();
  return compiler.program();
}

/** Work that is left: a part of the formula to compile, or an operation to append once its operands are there. */
type Pending = { readonly node: FormulaExpr } | { readonly operation: Operation; readonly operands: number };

class Compiler {
  private readonly steps: number[] = [];
  private readonly constants: number[] = [];
  private readonly weights: WeightSlot[] = [];
  private readonly tasks = new Set<string>();
  private readonly columns = new Set<string>();
  private depth = 0;
  private maxDepth = 0;

  constructor(
    private readonly formula: FormulaExpr,
    private readonly scope: FormulaScope,
  ) {}

  /** Post-order with its own stack: a long chain of alternating operators is as deep as it is long. */
  run(): void {
    const pending: Pending[] = [{ node: this.formula }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if ('operation' in next) {
        this.append(ValueOp[next.operation], 0, 1 - next.operands);
        continue;
      }
      const source = this.source(next.node);
      if (source === undefined) schedule(next.node, pending);
      else this.append(...source, 1);
    }
  }

  program(): ValueProgram {
    return {
      steps: Int32Array.from(this.steps),
      constants: Float32Array.from(this.constants),
      weights: this.weights,
      tasks: [...this.tasks],
      columns: [...this.columns],
      stackDepth: this.maxDepth,
    };
  }

  /** The step of a part without operands. */
  private source(node: FormulaExpr): [code: number, argument: number] | undefined {
    if (typeof node === 'number') return [ValueOp.const, this.constants.push(node) - 1];
    if (typeof node === 'string') return this.source(sourceOf(node));
    if ('score' in node) return [ValueOp.score, 0];
    if ('weight' in node) return [ValueOp.weight, this.weightSlot(node.weight)];
    return 'name' in node ? this.lookup(node) : undefined;
  }

  private append(code: number, argument: number, growth: number): void {
    this.steps.push(code, argument);
    this.depth += growth;
    this.maxDepth = Math.max(this.maxDepth, this.depth);
    if (this.depth > MAX_FORMULA_STACK) {
      const problem = `holds more than ${MAX_FORMULA_STACK} values at once: nest it less on the right`;
      throw fault(`The formula ${problem}`, this.formula);
    }
  }

  private weightSlot(name: string): number {
    const known = this.weights.findIndex((weight) => weight.name === name);
    if (known >= 0) return known;
    const { weights = {} } = this.scope;
    return this.weights.push({ name, default: Object.hasOwn(weights, name) ? (weights[name] ?? 0) : 0 }) - 1;
  }

  private lookup(node: { readonly name: string }): [code: number, argument: number] {
    const { name } = node;
    const task = this.scope.tasks.indexOf(name);
    if (task >= 0) {
      this.tasks.add(name);
      return [ValueOp.task, task];
    }
    const column = this.scope.columns.indexOf(name);
    if (column >= 0) {
      this.columns.add(name);
      return [ValueOp.column, column];
    }
    const known = [...this.scope.tasks, ...this.scope.columns, 'score'];
    throw fault(`Unknown name ${excerpt(name)} in the formula: ${hint(name, known)}`, node);
  }
}

/** Queues the operands of an operation and, after them, the operation; last first, since the queue is a stack. */
function schedule(node: FormulaExpr, pending: Pending[]): void {
  const [operation, body] = Object.entries(node)[0] as [Operation, FormulaExpr | readonly FormulaExpr[]];
  const { operands, variadic } = ARITY[operation];
  const nodes = Array.isArray(body) ? (body as readonly FormulaExpr[]) : [body as FormulaExpr];
  for (let i = nodes.length - 1; i >= 0; i--) {
    // A fold applies its operation after the second operand and after every later one.
    if (variadic ? i > 0 : i === nodes.length - 1) pending.push({ operation, operands });
    pending.push({ node: nodes[i] as FormulaExpr });
  }
}

function fault(message: string, node: FormulaExpr): SilverlodeError {
  const { position, path } = typeof node === 'object' ? originOf(node) : {};
  return new SilverlodeError('FORMULA_SYNTAX', message, position === undefined ? { path } : { position });
}
