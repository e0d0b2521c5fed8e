// The innermost loops of the hottest kernels as the compiler left them: instructions per unit of work, counted in the
// disassembly, and the cycles that llvm-mca expects. For machines whose counters a profiler cannot read, virtual ones above all.
//
//   npm run build && npm run build:tools
//   node build/tools/bench/evidence/inner_loops.js [output.json]
//
// Needs objdump (binutils); llvm-mca (llvm) is used where it is installed, for the processors that its version knows.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { machineFacts } from '../support/machine.js';

const BINARY = path.resolve('build/Release/silverlode.node');
const PROCESSORS = ['znver5', 'znver4', 'znver3', 'icelake-server'];

/** A kernel by its demangled name. Its hottest loop is the innermost one with most of `marker`. */
interface Kernel {
  name: string;
  symbol: RegExp;
  marker: string;
  unit: string;
  /** Of `marker` that one unit of work needs: fixes how many units an iteration does. */
  markersPerUnit: number;
}

const KERNELS: readonly Kernel[] = [
  {
    name: 'int8 tile, 4 queries x 64 rows (AVX-512 VNNI)',
    symbol: /multiply_panel<4, 4>\(/,
    marker: 'vpdpbusd',
    unit: 'query x row, 128 dims',
    markersPerUnit: 2,
  },
  {
    name: 'int8 tile, 6 queries x 16 rows (AVX2)',
    symbol: /multiply_panel<6, 2>\(/,
    marker: 'vpmaddwd',
    unit: 'query x row, 128 dims',
    markersPerUnit: 8,
  },
  {
    name: 'one query by consecutive rows, 128 dims (AVX-512 VNNI)',
    symbol: /dot_all<.*dot_rows.*integral_constant<long, 128l>/,
    marker: 'vpdpbusd',
    unit: 'row, 128 dims',
    markersPerUnit: 2,
  },
  {
    name: 'float32 GEMM tile, 14 rows x 32 outputs (AVX-512)',
    symbol: /gemm_tile<silverlode::cpu::VecAvx512, 14, 2>\(/,
    marker: 'vfmadd',
    unit: '1024 multiply-adds',
    markersPerUnit: 64,
  },
];

interface Instruction {
  address: number;
  text: string;
}

function run(command: string, args: string[], input?: string): string | undefined {
  const { stdout, status } = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return status === 0 ? stdout : undefined;
}

/** The functions of the binary by demangled name. Names repeat where levels have functions of one name. */
function* functionsIn(disassembly: string): Generator<{ symbol: string; code: Instruction[] }> {
  for (const block of disassembly.split('\n\n')) {
    const [head = '', ...lines] = block.split('\n');
    const symbol = /^[0-9a-f]+ <(.*)>:$/.exec(head)?.[1];
    if (symbol === undefined) continue;
    const code = lines.flatMap((line) => {
      const [, address, text] = /^ *([0-9a-f]+):\t(.*?)(?: *#.*)?$/.exec(line) ?? [];
      return address === undefined || text === undefined ? [] : [{ address: Number.parseInt(address, 16), text }];
    });
    yield { symbol, code };
  }
}

/** Bodies of innermost loops: from the target of a backward jump to the jump, with no other such jump between. */
function innermostLoops(code: readonly Instruction[]): Instruction[][] {
  const target = ({ address, text }: Instruction) => {
    const to = /^j\w+ +([0-9a-f]+)/.exec(text)?.[1];
    const place = to === undefined ? Number.NaN : Number.parseInt(to, 16);
    return place <= address ? place : undefined;
  };
  return code.flatMap((jump, end) => {
    const begin = target(jump);
    const first = begin === undefined ? -1 : code.findIndex(({ address }) => address === begin);
    const body = first < 0 ? [] : code.slice(first, end + 1);
    return body.length > 0 && body.slice(0, -1).every((each) => target(each) === undefined) ? [body] : [];
  });
}

const countOf = (body: readonly Instruction[], marker: string) =>
  body.filter(({ text }) => text.startsWith(marker)).length;

function hottestLoop(disassembly: string, { symbol, marker }: Kernel): Instruction[] {
  let best: Instruction[] = [];
  for (const each of functionsIn(disassembly)) {
    if (!symbol.test(each.symbol)) continue;
    for (const body of innermostLoops(each.code)) if (countOf(body, marker) > countOf(best, marker)) best = body;
  }
  return best;
}

/** Cycles that one iteration takes at a steady pace, or undefined where llvm-mca or its knowledge of the processor is missing. */
function expectedCycles(body: readonly Instruction[], processor: string): number | undefined {
  const ITERATIONS = 1000;
  const source = body.map(({ text }) => text.replace(/^(j\w+) .*/, '$1 0')).join('\n');
  const report = run('llvm-mca', [`-mcpu=${processor}`, `-iterations=${ITERATIONS}`, '-'], source);
  const cycles = /Total Cycles: *(\d+)/.exec(report ?? '')?.[1];
  return cycles === undefined ? undefined : Number(cycles) / ITERATIONS;
}

const knownTo = (processor: string) => {
  const { status, stderr } = spawnSync('llvm-mca', [`-mcpu=${processor}`, '-'], { input: 'nop\n', encoding: 'utf8' });
  return status === 0 && !stderr.includes('not a recognized processor');
};

const disassembly = run('objdump', ['-d', '-C', '--no-show-raw-insn', BINARY]);
if (disassembly === undefined) {
  console.error(`cannot disassemble ${BINARY}: build it (npm run build) and install objdump (Debian: binutils)`);
  process.exit(1);
}
const processors = PROCESSORS.filter(knownTo);
if (processors.length === 0) console.error('llvm-mca (Debian: llvm) is missing: only instructions are counted');

const results = KERNELS.map((kernel) => {
  const body = hottestLoop(disassembly, kernel);
  const units = countOf(body, kernel.marker) / kernel.markersPerUnit;
  if (units === 0) return { kernel: kernel.name, missing: 'not in this build' };
  const perUnit = (amount: number) => Number((amount / units).toFixed(3));
  const cycles = processors.map((processor) => [processor, expectedCycles(body, processor)] as const);
  return {
    kernel: kernel.name,
    unit: kernel.unit,
    instructions: perUnit(body.length),
    [kernel.marker]: kernel.markersPerUnit,
    // Operands in memory, without what only computes an address or fetches ahead.
    loads: perUnit(body.filter(({ text }) => /\(.*\)/.test(text) && !/^(lea|nop|prefetch)/.test(text)).length),
    cycles: Object.fromEntries(cycles.map(([processor, all]) => [processor, all === undefined ? null : perUnit(all)])),
  };
});
console.log(JSON.stringify(results, undefined, 2));
const output = process.argv[2];
if (output !== undefined) {
  writeFileSync(output, `${JSON.stringify({ machine: machineFacts(1), results }, undefined, 2)}\n`);
}
