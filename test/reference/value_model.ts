import { type Input, SCOPE } from '../cases/value_model.js';
import { runValueProgram } from './value.js';

/** The formula's program, one candidate after the other. */
export function valueModel({ program, logits, scores, ordinals, columns, weights }: Input): Float32Array {
  const m = scores.shape[1] as number;
  const row = (table: { view(): Float32Array } | undefined, index: number, width: number) =>
    table ? [...table.view().subarray(index * width, (index + 1) * width)] : [];
  return Float32Array.from(scores.view(), (score, i) => {
    const ordinal = ordinals.view()[i] as number;
    if (ordinal < 0) return -Infinity;
    const slots = row(weights, Math.floor(i / m), program.weights.length);
    return runValueProgram(program, row(logits, i, SCOPE.tasks.length), row(columns, ordinal, SCOPE.columns.length), {
      score,
      tasks: {},
      columns: {},
      weights: Object.fromEntries(program.weights.map(({ name }, slot) => [name, slots[slot] as number])),
    });
  });
}

/** Whether a program has steps whose own float32 mathematics may be a few units of the last place off. */
export function isTranscendental({ steps }: Input['program']): boolean {
  const codes = steps.filter((_, i) => i % 2 === 0);
  return codes.some((code) => [13, 14, 15, 17, 24].includes(code));
}
