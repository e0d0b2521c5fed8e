/**
 * A formula as a tree fit for JSON: numbers, names, and objects of one key.
 *
 * A bare string stands for what it means in text: `'score'`, `'weight.report'`, or else a task or column; `{name}`,
 * `{weight}` and `{score: true}` say it without regard to spelling. `add`, `mul`, `min`, `max`, `and` and `or` take two
 * or more operands and fold from the left; operations of one operand take it without a list.
 *
 * @example `{add: [{mul: [2, {sigmoid: 'click'}]}, {if: [{lt: ['age_hours', 24]}, 0.1, 0]}]}`
 */
export type FormulaExpr =
  | number
  | string
  /** A task, or an item column where no task has the name. */
  | { readonly name: string }
  /** A weight of the request. */
  | { readonly weight: string }
  /** The retrieval score. */
  | { readonly score: true }
  | { readonly neg: FormulaExpr }
  | { readonly not: FormulaExpr }
  | { readonly abs: FormulaExpr }
  | { readonly exp: FormulaExpr }
  | { readonly log: FormulaExpr }
  | { readonly log1p: FormulaExpr }
  | { readonly sqrt: FormulaExpr }
  | { readonly sigmoid: FormulaExpr }
  | { readonly add: readonly FormulaExpr[] }
  | { readonly sub: FormulaPair }
  | { readonly mul: readonly FormulaExpr[] }
  | { readonly div: FormulaPair }
  | { readonly pow: FormulaPair }
  | { readonly min: readonly FormulaExpr[] }
  | { readonly max: readonly FormulaExpr[] }
  | { readonly lt: FormulaPair }
  | { readonly le: FormulaPair }
  | { readonly gt: FormulaPair }
  | { readonly ge: FormulaPair }
  | { readonly eq: FormulaPair }
  | { readonly ne: FormulaPair }
  | { readonly and: readonly FormulaExpr[] }
  | { readonly or: readonly FormulaExpr[] }
  /** The second operand where the first is true, else the third. */
  | { readonly if: readonly [condition: FormulaExpr, then: FormulaExpr, otherwise: FormulaExpr] }
  | { readonly clamp: readonly [value: FormulaExpr, low: FormulaExpr, high: FormulaExpr] };

export type FormulaPair = readonly [left: FormulaExpr, right: FormulaExpr];

/** Longest formula text, in UTF-16 units. */
export const MAX_FORMULA_TEXT = 64 * 1024;

/** Most constants, names and operations in a formula. */
export const MAX_FORMULA_NODES = 4096;

/** Most parentheses, calls, minus signs and `not`s around a part of a formula text. */
export const MAX_FORMULA_DEPTH = 256;

/** Most intermediate values that a formula may hold at once, `kMaxValueStack` of the native op. */
export const MAX_FORMULA_STACK = 64;

/** What a bare name means. */
export function sourceOf(name: string): Exclude<FormulaExpr, number | string> {
  if (name === 'score') return { score: true };
  return name.startsWith('weight.') ? { weight: name.slice('weight.'.length) } : { name };
}
