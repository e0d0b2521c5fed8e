// Registers, shared memory and stack of every CUDA kernel against a checked-in budget, from what ptxas says while the backend
// is compiled with -Xptxas=-v. Works without a GPU.
//
//   node native/tests/cuda/resource_budget.mjs BUILD_LOG            fails when a kernel spills, outgrows its budget, or has none
//   node native/tests/cuda/resource_budget.mjs BUILD_LOG --update   writes the budget from the log
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const BUDGET = new URL('./resource_budget.json', import.meta.url);
const ENTRY = /Compiling entry function '(\w+)' for '(sm_\w+)'/;
const STACK = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/;
const USED = /Used (\d+) registers/;
const SHARED = /(\d+) bytes smem/;

/** What ptxas reports, by kernel and architecture. */
export function readLog(text) {
  const found = [];
  for (const line of text.split('\n')) {
    const entry = ENTRY.exec(line);
    if (entry) found.push({ symbol: entry[1], arch: entry[2], registers: 0, shared: 0, stack: 0, spills: 0 });
    const current = found.at(-1);
    if (current === undefined) continue;
    const stack = STACK.exec(line);
    if (stack) Object.assign(current, { stack: Number(stack[1]), spills: Number(stack[2]) + Number(stack[3]) });
    const used = USED.exec(line);
    if (used) Object.assign(current, { registers: Number(used[1]), shared: Number(SHARED.exec(line)?.[1] ?? 0) });
  }
  const names = kernelNames(found.map(({ symbol }) => symbol));
  return found.map(({ symbol: _, ...resources }, i) => ({ kernel: names[i], ...resources }));
}

/** `sl_scan_mma<2>` of mangled symbols: no namespaces, no arguments. */
function kernelNames(symbols) {
  const { stdout, error } = spawnSync('c++filt', { input: symbols.join('\n'), encoding: 'utf8' });
  if (error) throw new Error(`c++filt (binutils) is needed: ${error.message}`);
  return stdout
    .trim()
    .split('\n')
    .map((name) => name.replaceAll('(anonymous namespace)::', '').replaceAll('silverlode::cuda::', ''))
    .map((name) => /sl_\w+(<.*?>)?(?=\()/.exec(name)?.[0] ?? name);
}

/** Everything that is wrong with these kernels. */
export function faults(kernels, budget) {
  const problems = [];
  for (const { kernel, arch, spills, ...used } of kernels) {
    const allowed = budget[kernel]?.[arch];
    if (!kernel.startsWith('sl_')) problems.push(`${kernel}: kernels are named sl_…`);
    if (spills > 0) problems.push(`${kernel} (${arch}) spills ${spills} bytes`);
    if (allowed === undefined) problems.push(`${kernel} (${arch}) has no budget`);
    for (const [resource, amount] of Object.entries(used)) {
      if (amount > (allowed?.[resource] ?? Infinity))
        problems.push(`${kernel} (${arch}) uses ${amount} ${resource}, its budget is ${allowed[resource]}`);
    }
  }
  const seen = new Set(kernels.map(({ kernel }) => kernel));
  for (const kernel of Object.keys(budget)) if (!seen.has(kernel)) problems.push(`${kernel} has a budget, no code`);
  return problems;
}

/** The most that any build of a kernel takes: instances of a template may share a name. */
function toBudget(kernels) {
  const budget = {};
  for (const { kernel, arch, ...used } of kernels.toSorted(byName)) {
    budget[kernel] ??= {};
    const most = budget[kernel][arch] ?? { registers: 0, shared: 0, stack: 0 };
    for (const resource of Object.keys(most)) most[resource] = Math.max(most[resource], used[resource]);
    budget[kernel][arch] = most;
  }
  return budget;
}

const byName = (a, b) => (a.kernel + a.arch < b.kernel + b.arch ? -1 : 1);

function main([log, flag]) {
  const kernels = readLog(readFileSync(log, 'utf8'));
  if (kernels.length === 0) throw new Error(`${log} has no ptxas output: build with -Xptxas=-v`);
  if (flag === '--update') {
    const lines = Object.entries(toBudget(kernels)).map(
      ([kernel, archs]) => `  ${JSON.stringify(kernel)}: ${JSON.stringify(archs)}`,
    );
    return writeFileSync(BUDGET, `{\n${lines.join(',\n')}\n}\n`);
  }
  const problems = faults(kernels, JSON.parse(readFileSync(BUDGET, 'utf8')));
  for (const problem of problems) console.error(problem);
  console.log(`${kernels.length} kernel builds, ${problems.length} over budget`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (process.argv[1] === new URL(import.meta.url).pathname) main(process.argv.slice(2));
