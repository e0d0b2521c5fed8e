import { SilverlodeError } from '../errors.js';
import { originOf, withOrigin } from '../language/origin.js';
import { excerpt } from '../language/text.js';
import { type FormulaExpr, MAX_FORMULA_NODES, sourceOf } from './ast.js';
import { ARITY, isOperation, type Operation } from './opcodes.js';

/** A part that waits to be checked, and where its checked copy goes. */
interface Pending {
  readonly tree: unknown;
  readonly path: string;
  readonly into: Record<string | number, FormulaExpr>;
  readonly key: string | number;
}

/**
 * Checks a formula tree of any origin; {@link FormulaExpr} says what is understood. The result is a copy that shares
 * nothing with `tree`, and has no bare strings. Works without recursion, so only the number of its parts limits a tree.
 *
 * @throws {@link SilverlodeError} `FORMULA_SYNTAX` with the `path` of the fault, such as `$.add[1].exp`.
 */
export function checkFormula(tree: unknown): FormulaExpr {
  const result: Record<string, FormulaExpr> = {};
  const pending: Pending[] = [{ tree, path: '$', into: result, key: 'root' }];
  for (let parts = 1, next = pending.pop(); next !== undefined; parts++, next = pending.pop()) {
    if (parts + pending.length > MAX_FORMULA_NODES) {
      throw syntax(`is beyond the limit of ${MAX_FORMULA_NODES} parts`, next.path);
    }
    next.into[next.key] = checkPart(next, pending);
  }
  return result.root as FormulaExpr;
}

function checkPart({ tree, path }: Pending, pending: Pending[]): FormulaExpr {
  if (typeof tree === 'number') {
    if (!Number.isFinite(Math.fround(tree))) throw syntax('is not a finite float32', path);
    return tree;
  }
  if (typeof tree === 'string') return withOrigin(sourceOf(tree), { path });
  if (typeof tree !== 'object' || tree === null) throw syntax('must be a number, a name or an object', path);
  const entries = Object.entries(tree);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined) throw syntax('must have exactly one key, the operation', path);
  const [key, body] = first;
  const origin = { path, ...originOf(tree) };
  if (key === 'score' && body === true) return withOrigin({ score: body }, origin);
  if (key === 'name' && typeof body === 'string') return withOrigin({ name: body }, origin);
  if (key === 'weight' && typeof body === 'string') return withOrigin({ weight: body }, origin);
  if (!isOperation(key)) throw syntax(`has the unknown operation ${excerpt(key)}`, path);
  const node: Record<string, unknown> = {};
  if (ARITY[key].operands === 1) {
    node[key] = undefined; // its place among the keys is taken at once, its value follows
    pending.push({ tree: body, path: `${path}.${key}`, into: node as Pending['into'], key });
  } else {
    node[key] = checkOperands(key, body, path, pending);
  }
  return withOrigin(node, origin) as FormulaExpr;
}

function checkOperands(key: Operation, body: unknown, path: string, pending: Pending[]): FormulaExpr[] {
  const { operands, variadic } = ARITY[key];
  if (!Array.isArray(body) || body.length < operands || (body.length > operands && !variadic)) {
    throw syntax(`must have a list of ${operands}${variadic ? ' or more' : ''} operands`, `${path}.${key}`);
  }
  if (body.length > MAX_FORMULA_NODES) throw syntax(`is beyond the limit of ${MAX_FORMULA_NODES} parts`, path);
  const checked: FormulaExpr[] = new Array(body.length);
  for (let i = 0; i < body.length; i++) {
    pending.push({ tree: body[i], path: `${path}.${key}[${i}]`, into: checked as unknown as Pending['into'], key: i });
  }
  return checked;
}

function syntax(problem: string, path: string): SilverlodeError {
  const shown = path.length > 200 ? `…${path.slice(-200)}` : path; // the end of a long path says more
  return new SilverlodeError('FORMULA_SYNTAX', `Formula tree: ${shown} ${problem}`, { path: shown });
}
