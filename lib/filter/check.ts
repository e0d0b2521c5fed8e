import { SilverlodeError } from '../errors.js';
import { originOf, withOrigin } from '../language/origin.js';
import { excerpt } from '../language/text.js';
import { type FilterBounds, type FilterNode, type FilterNumber, MAX_FILTER_DEPTH, MAX_FILTER_TERMS } from './ast.js';
import { parseDate } from './dates.js';
import { isNumber } from './numbers.js';

/**
 * Checks a filter tree of any origin and brings it into its core forms; {@link FilterExpr} says what is understood.
 * The result is a copy that shares nothing with `tree` and is fit for JSON: a bigint becomes decimal text.
 *
 * @throws {@link SilverlodeError} `FILTER_SYNTAX` with the `path` of the fault, such as `$.and[1].eq[0]`;
 *   `LIMIT_EXCEEDED` with the `path` for more than {@link MAX_FILTER_DEPTH} levels or {@link MAX_FILTER_TERMS} terms.
 */
export function checkFilter(tree: unknown): FilterNode {
  return new TreeCheck().node(tree, '$', 1);
}

/** Recursion is safe here: it ends at the depth limit, even on a tree that contains itself. */
class TreeCheck {
  private terms = 0;

  node(tree: unknown, path: string, depth: number): FilterNode {
    if (depth > MAX_FILTER_DEPTH) throw limit('is nested too deeply', path);
    const [key, body] = onlyEntry(tree, path);
    const inside = `${path}.${key}`;
    if (key === 'not') return { not: this.node(body, inside, depth + 1) };
    if (key === 'and' || key === 'or') {
      const nodes = list(body, inside).map((child, i) => this.node(child, `${inside}[${i}]`, depth + 1));
      if (nodes.length === 0) this.countTerm(path);
      return key === 'and' ? { and: nodes } : { or: nodes };
    }
    this.countTerm(path);
    return withOrigin(this.leaf(key, body, inside), { path, ...originOf(tree as object) });
  }

  private leaf(key: string, body: unknown, path: string): FilterNode {
    switch (key) {
      case 'all':
        if (body !== true) throw syntax('must be true', path);
        return { all: true };
      case 'exists':
        return { exists: fieldName(body, path) };
      case 'eq':
      case 'has': {
        const [field, literal] = tuple(body, 2, path);
        return { eq: [fieldName(field, `${path}[0]`), value(literal, `${path}[1]`)] };
      }
      case 'in': {
        const [field, literals] = tuple(body, 2, path);
        return { in: [fieldName(field, `${path}[0]`), this.values(literals, `${path}[1]`)] };
      }
      case 'range': {
        const [field, limits] = tuple(body, 2, path);
        return { range: [fieldName(field, `${path}[0]`), bounds(limits, `${path}[1]`)] };
      }
      case 'ge':
      case 'gt':
      case 'le':
      case 'lt': {
        const [field, bound] = tuple(body, 2, path);
        const name = key === 'ge' ? 'gte' : key === 'le' ? 'lte' : key;
        return { range: [fieldName(field, `${path}[0]`), { [name]: number(bound, `${path}[1]`) }] };
      }
      case 'between': {
        const [field, low, high] = tuple(body, 3, path);
        const limits = { gte: number(low, `${path}[1]`), lte: number(high, `${path}[2]`) };
        return { range: [fieldName(field, `${path}[0]`), limits] };
      }
      default:
        throw syntax('is not a filter operation', path);
    }
  }

  private values(body: unknown, path: string): (string | number | boolean)[] {
    return list(body, path).map((item, i) => {
      if (i > 0) this.countTerm(path);
      return value(item, `${path}[${i}]`);
    });
  }

  private countTerm(path: string): void {
    if (++this.terms > MAX_FILTER_TERMS) throw limit(`has more than ${MAX_FILTER_TERMS} terms`, path);
  }
}

function onlyEntry(tree: unknown, path: string): [key: string, body: unknown] {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw syntax('must be an object', path);
  const entries = Object.entries(tree);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined) throw syntax('must have exactly one key, the operation', path);
  return [first[0].length > 40 ? excerpt(first[0]) : first[0], first[1]];
}

function list(body: unknown, path: string): unknown[] {
  if (!Array.isArray(body)) throw syntax('must be a list', path);
  // A list cannot hold more nodes than the filter may have terms, so nothing is copied for a longer one.
  if (body.length > MAX_FILTER_TERMS) throw limit(`has more than ${MAX_FILTER_TERMS} terms`, path);
  return Array.from(body);
}

function tuple(body: unknown, length: number, path: string): unknown[] {
  if (!Array.isArray(body) || body.length !== length) throw syntax(`must be a list of ${length}`, path);
  return body;
}

function fieldName(body: unknown, path: string): string {
  if (typeof body !== 'string') throw syntax('must be the name of a field', path);
  return body;
}

function value(body: unknown, path: string): string | number | boolean {
  if (typeof body === 'bigint') return body.toString();
  if (typeof body === 'string' || typeof body === 'boolean' || Number.isFinite(body)) return body as string | number;
  throw syntax('must be a string, a finite number or a boolean', path);
}

function number(body: unknown, path: string): FilterNumber {
  if (typeof body === 'bigint') return body.toString();
  if (Number.isFinite(body)) return body as number;
  if (typeof body === 'string' && (isNumber(body) || parseDate(body))) return body;
  throw syntax('must be a finite number or a date', path);
}

function bounds(body: unknown, path: string): FilterBounds {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw syntax('must be an object of bounds', path);
  const checked: Record<string, FilterNumber> = {};
  for (const [name, bound] of Object.entries(body)) {
    if (!/^[gl]te?$/.test(name)) throw syntax('is not one of gte, gt, lte, lt', `${path}.${name.slice(0, 40)}`);
    if (bound !== undefined) checked[name] = number(bound, `${path}.${name}`);
  }
  return checked;
}

function syntax(problem: string, path: string): SilverlodeError {
  return new SilverlodeError('FILTER_SYNTAX', `Filter tree: ${shown(path)} ${problem}`, { path: shown(path) });
}

function limit(problem: string, path: string): SilverlodeError {
  return new SilverlodeError('LIMIT_EXCEEDED', `Filter tree ${problem}`, { path: shown(path) });
}

/** The end of a long path says more than its beginning. */
function shown(path: string): string {
  return path.length > 200 ? `…${path.slice(-200)}` : path;
}
