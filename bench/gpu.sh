#!/usr/bin/env bash
# Everything that needs a real GPU, in about ten minutes: build for its architecture, correctness of every op, sanitizers, figures.
#
#   bench/gpu.sh [OUT]     results (logs, JSON) go to OUT, default bench/results/gpu
#
# Needs a driver, nvcc, CMake, a C++20 compiler, Node and this folder after `npm ci`. Settings of the GPU stay as they are.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mkdir -p "${1:-bench/results/gpu}" && cd "${1:-bench/results/gpu}" && pwd)
failed=()

# part NAME COMMAND...: runs a command with its output in OUT/NAME.log; a failure is told at the end and stops nothing.
part() {
  local name=$1 start=$SECONDS
  shift
  printf '=== %s\n' "$name"
  if ! "$@" >"$out/$name.log" 2>&1; then
    failed+=("$name")
    tail -n 20 "$out/$name.log"
  fi
  printf '=== %s: %d s\n' "$name" $((SECONDS - start))
}

facts() {
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.sm,clocks.mem,temperature.gpu --format=csv
  nvcc --version
  git rev-parse HEAD 2>/dev/null || true
}

architecture() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .; }

build() {
  local arch
  arch=$(architecture)
  npm run build:native -- --CDSILVERLODE_CUDA=ON "--CDSILVERLODE_CUDA_ARCHITECTURES=$arch-real" &&
    npm run build:ts && npm run build:tools && node dist/cli/main.js devices
}

# Suites of the hottest ops under a checker, for at most five minutes: a fault ends them with another exit code.
sanitize() {
  timeout 300 compute-sanitizer --tool "$1" --error-exitcode 9 --target-processes all \
    npx vitest run --project gpu --maxWorkers 1 test/ops/ivf_scan.test.ts test/ops/ivf_probe.test.ts test/ops/top_k.test.ts test/ops/linear.test.ts
}

bench() { node build/tools/bench/run.js "$1" --device cuda:0 --json "$out/$1.json"; }

profile() {
  ncu --clock-control none --set full --kernel-name "regex:sl_(scan|select)" --launch-count 8 --force-overwrite \
    --export "$out/scan" node build/tools/bench/run.js kernels --device cuda:0 --quick --filter ivf_scan
}

part facts facts
part build build
part suites npm run --ignore-scripts test:gpu
part kernels bench kernels
part pipeline bench pipeline
part memcheck sanitize memcheck
part racecheck sanitize racecheck
command -v ncu >/dev/null && part ncu profile

printf '\nresults in %s\n' "$out"
[ ${#failed[@]} -eq 0 ] || { printf 'FAILED: %s\n' "${failed[*]}"; exit 1; }
