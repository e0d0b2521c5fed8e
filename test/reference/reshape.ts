import type { Input } from '../cases/reshape.js';

/** The same elements. */
export function reshape({ x }: Input) {
  return { y: x.view().slice() };
}
