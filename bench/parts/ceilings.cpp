// What a processor gives at best: int8 dot products and float32 multiply-adds in registers, reading memory in order. Answers
// lines {"run":{"what":"int8","threads":1,"repeat":1}} with what that took and how many operations or bytes it was.
#include <sys/resource.h>

#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kLoops = 4'000'000;
constexpr int64_t kReadBytes = int64_t{256} << 20;

// A vector of as many bytes as the widest register.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
using Floats = float __attribute__((vector_size(kVectorBytes)));
using Ints = int32_t __attribute__((vector_size(kVectorBytes)));
using Words = uint64_t __attribute__((vector_size(kVectorBytes)));

// Hides a value from the optimiser: it may be anything afterwards.
template <typename Vector>
void hide(Vector& value) {
#if defined(__x86_64__)
  asm volatile("" : "+v"(value));
#else
  asm volatile("" : "+w"(value));
#endif
}

// sum + the dot products of groups of four int8 numbers.
inline Ints dot(Ints sum, Ints a, Ints b) {
#if defined(__AVX512VNNI__)
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#elif defined(__AVX2__)
  const Ints ones = Ints{} + 0x00010001;
  Ints pairs;
  asm("vpmaddubsw %2, %1, %0" : "=x"(pairs) : "x"(a), "x"(b));
  asm("vpmaddwd %1, %0, %0" : "+x"(pairs) : "x"(ones));
  sum += pairs;
#elif defined(__ARM_FEATURE_DOTPROD)
  asm("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
#else
  sum += a * b;
#endif
  return sum;
}

inline Floats multiply_add(Floats sum, Floats a, Floats b) {
#if defined(__AVX512F__) || defined(__FMA__)
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#elif defined(__aarch64__)
  asm("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum) : "w"(a), "w"(b));
#else
  sum += a * b;
#endif
  return sum;
}

// Twelve chains, more than the latency times the units of any processor at hand need.
template <typename Vector, typename Step>
double chains(Step step) {
  Vector sums[12] = {};
  Vector a = {};
  Vector b = {};
  hide(a);
  hide(b);
  for (int64_t loop = 0; loop < kLoops; ++loop) {
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = step(sum, a, b);
  }
  for (Vector& sum : sums) hide(sum);
  return 12.0 * kLoops;
}

double read(const uint8_t* bytes, int64_t count) {
  Words sums[8] = {};
  for (int64_t at = 0; at + 8 * kVectorBytes <= count; at += 8 * kVectorBytes) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      Words next;
      std::memcpy(&next, bytes + at + i * kVectorBytes, kVectorBytes);
      sums[i] += next;
    }
  }
  for (Words& sum : sums) hide(sum);
  return static_cast<double>(count);
}

// One thread's part of one repeat; returns its operations or bytes.
double work(const std::string& what, const std::vector<uint8_t>& memory, int thread, int threads) {
  if (what == "int8") return 2 * kVectorBytes * chains<Ints>(dot);
  if (what == "float32") return 2 * (kVectorBytes / 4) * chains<Floats>(multiply_add);
  const int64_t part = static_cast<int64_t>(memory.size()) / threads;
  return read(memory.data() + thread * part, part);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void answer(const std::string& what, int threads, int repeat) {
  static const std::vector<uint8_t> memory(kReadBytes, 1);
  std::vector<double> amounts(static_cast<size_t>(threads), 0.0);
  std::barrier start(threads + 1);
  std::vector<std::thread> workers;
  for (int thread = 0; thread < threads; ++thread) {
    workers.emplace_back([&, thread] {
      start.arrive_and_wait();
      for (int i = 0; i < repeat; ++i) amounts[static_cast<size_t>(thread)] += work(what, memory, thread, threads);
    });
  }
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();  // not after the barrier: this thread may be the last to wake
  start.arrive_and_wait();
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  double amount = 0;
  for (const double each : amounts) amount += each;
  std::printf("{\"ok\":{\"wallSeconds\":%.9f,\"cpuSeconds\":%.9f,\"amount\":%.17g}}\n", wall.count(),
              cpu_seconds() - cpu, amount);
}

}  // namespace

int main() {
  char line[256];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    char what[16] = "";
    int threads = 0;
    int repeat = 0;
    const int read =
        std::sscanf(line, "{\"run\":{\"what\":\"%15[a-z0-9]\",\"threads\":%d,\"repeat\":%d}}", what, &threads, &repeat);
    if (read == 3 && threads > 0 && threads <= 4096 && repeat > 0) {
      answer(what, threads, repeat);
    } else {
      std::printf("{\"error\":{\"code\":\"BAD_COMMAND\",\"message\":\"not a run of a ceiling\"}}\n");
    }
    std::fflush(stdout);
  }
}
