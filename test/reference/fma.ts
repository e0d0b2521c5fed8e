const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);

/** fround(a * b + c) with a single rounding, for float32 a, b and c. */
export function fma(a: number, b: number, c: number): number {
  const product = a * b; // exact: 24 + 24 bits fit into 53
  const sum = product + c;
  const back = sum - product;
  const error = product - (sum - back) + (c - back);
  return Math.fround(Number.isFinite(sum) && error !== 0 ? toOdd(sum, error) : sum);
}

/** Rounded to odd: a last bit that says "there is more" keeps the second rounding, to float32, from seeing a false tie. */
function toOdd(sum: number, error: number): number {
  double[0] = sum;
  const pattern = bits[0] as bigint;
  if ((pattern & 1n) === 1n) return sum;
  bits[0] = error > 0 === sum > 0 ? pattern + 1n : pattern - 1n;
  return double[0] as number;
}
