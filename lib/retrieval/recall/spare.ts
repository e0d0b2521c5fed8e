/**
 * Candidates beyond the results where these are scored again: as many as int8 scores may rank wrongly. Scores lie the closer the
 * deeper in the list, so excluded items ask for more.
 */
export function spare(k: number, excluded: number): number {
  return Math.max(16, Math.ceil(k / 8), Math.min(2048, Math.ceil(excluded / 4)));
}
