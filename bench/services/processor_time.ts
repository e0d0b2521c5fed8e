// Processor time of processes, from /proc.
import { readFileSync } from 'node:fs';

/** Clock ticks per second of /proc, on every Linux that Node runs on. */
const TICKS = 100;

/** Seconds so far; of the thread that the process began with, and of all its threads. */
export interface ProcessorTime {
  main: number;
  all: number;
}

/** NaN where the system does not tell. */
export function processorTime(pid: number): ProcessorTime {
  if (process.platform !== 'linux') return { main: Number.NaN, all: Number.NaN };
  return { main: secondsOf(`/proc/${pid}/task/${pid}/stat`), all: secondsOf(`/proc/${pid}/stat`) };
}

/** Fields 14 and 15, user and system time; the second field is a name that may hold anything but ends with `) `. */
function secondsOf(file: string): number {
  const text = readFileSync(file, 'utf8');
  const fields = text.slice(text.lastIndexOf(') ') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
