// Progress on a terminal, silence elsewhere.

/** Told how far a stage is. */
export type OnProgress = (stage: string, done: number, total: number) => void;

/** One line on stderr that is written over and over, and gone at the end. */
export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): {
  update: OnProgress;
  clear: () => void;
} {
  if (!stream.isTTY) return { update: () => {}, clear: () => {} };
  const write = (text: string) => stream.write(`\r\x1b[K${text}`);
  return {
    update: (stage, done, total) => write(`${stage} ${Math.floor((100 * done) / Math.max(total, 1))} %`),
    clear: () => write(''),
  };
}
