// Running a planned program allocates nothing, at any thread count: every operator new of the process is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "backends/registry.h"
#include "program/run.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

// GCC takes free() for the wrong partner of new, wherever it inlines the functions below.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

// Every form for single objects, so that memory of one is never given to another's partner; the other forms stay as they are.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new(size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace silverlode {

namespace {

constexpr int64_t kDims = 64, kClusters = 16, kRowsOfCluster = 128, kRows = kClusters * kRowsOfCluster;
constexpr int64_t kWords = kRows / 64, kBatch = 5, kBest = 20, kTasks = 3;

template <class T>
TensorView view_of(std::vector<T>& values, DType dtype, const Shape& shape) {
  return {values.data(), dtype, shape};
}

// Values without pattern that matter to nobody.
struct Noise {
  uint32_t state = 1;
  float next() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) / static_cast<float>(1 << 23) - 1.0f;
  }
  std::vector<float> floats(int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = next();
    return values;
  }
  std::vector<int8_t> bytes(int64_t n) {
    std::vector<int8_t> values(static_cast<size_t>(n));
    for (int8_t& value : values) value = static_cast<int8_t>(127.0f * next());
    return values;
  }
};

// Tower, quantising, probing with a filter, scan, a score per candidate list and the best of it: the ops of a request, each
// with the workspace and threads that it has in a model.
class RunAllocation : public testing::TestWithParam<int32_t> {
 protected:
  RunAllocation() {
    for (int64_t r = 0; r < kRows; ++r) ordinals.push_back(static_cast<int32_t>(r));
    for (int64_t c = 0; c <= kClusters; ++c) cluster_begin.push_back(static_cast<int32_t>(c * kRowsOfCluster));
    const DType f32 = DType::kF32, i8 = DType::kI8, i32 = DType::kI32, i64 = DType::kI64;
    const auto input = [&](const char* name, const TensorView& view) {
      ValueSpec value{name, view.dtype, view.shape};
      if (view.shape.dim(0) == kBatch) value.shape.dims[0] = -1;
      spec.inputs.push_back(value);
      inputs.push_back(view);
    };
    const auto constant = [&](const char* name, const TensorView& view) {
      spec.constants.push_back({name, view.dtype, view.shape});
      constants.push_back(view);
    };
    spec.symbols = {"batch"};
    input("features", view_of(features, f32, {kBatch, 1, kDims}));            // 0
    input("probes", view_of(probes, i32, {kBatch}));                          // 1
    input("min_candidates", view_of(minimum, i32, {kBatch}));                 // 2
    input("exact", view_of(exact, i32, {kBatch}));                            // 3
    input("plan_index", view_of(plan_index, i32, {kBatch}));                  // 4
    input("plan_offsets", view_of(plan_offsets, i32, {2}));                   // 5
    input("plan_steps", view_of(plan_steps, i64, {2, 4}));                    // 6
    input("exclude_offsets", view_of(exclude_offsets, i32, {kBatch}));        // 7
    input("exclude_rows", view_of(exclude_rows, i32, {3}));                   // 8
    input("limits", view_of(limits, i32, {kBatch}));                          // 9
    constant("weight", view_of(weight, f32, {kDims, kDims}));                 // 10
    constant("centroids", view_of(centroids, i8, {kClusters, kDims}));        // 11
    constant("centroid_scales", view_of(centroid_scales, f32, {kClusters}));  // 12
    constant("cluster_begin", view_of(cluster_begin, i32, {kClusters + 1}));  // 13
    constant("live", view_of(live, i64, {kWords}));                           // 14
    constant("slices", view_of(slices, i64, {1, kWords}));                    // 15
    constant("bloom", view_of(none64, i64, {0, 8}));                          // 16
    constant("bloom_offsets", view_of(none64, i64, {0}));                     // 17
    constant("columns32", view_of(column, i32, {1, kRows}));                  // 18
    constant("columns64", view_of(none64, i64, {0, kRows}));                  // 19
    constant("term_offsets", view_of(none32, i32, {0}));                      // 20
    constant("terms", view_of(none32, i32, {0}));                             // 21
    constant("rows", view_of(rows, i8, {kRows, kDims}));                      // 22
    constant("row_scales", view_of(row_scales, f32, {kRows}));                // 23
    constant("ordinals", view_of(ordinals, i32, {kRows}));                    // 24
    constant("tasks", view_of(tasks, f32, {kTasks, kBest}));                  // 25
    const std::string activation = "relu";
    step("linear", {{{"activation", activation}}}, {0, 10}, 1);  // 26
    step("quantize_int8", {}, {26}, 2);                          // 27, 28
    step("ivf_probe", {}, {27, 28, 11, 12, -1, 13, 14, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 18, 19, 20, 21},
         5);                                                                                     // 29-33
    step("ivf_scan", {{{"k", kBest}}}, {27, 28, 22, 23, -1, 24, 13, 14, 29, 30, 31, 32, 9}, 3);  // 34-36
    step("merge_top_k", {{{"k", kBest}}}, {34, 35, 9}, 3);                                       // 37-39
    step("linear", {}, {37, 25}, 1);                                                             // 40
    step("top_k", {{{"k", int64_t{2}}}}, {40}, 3);                                               // 41-43
    spec.outputs = {37, 38, 41, 42};
  }

  void step(const char* op, const Attributes& attributes, std::vector<int32_t> values, int32_t outputs) {
    spec.steps.push_back({op, "", attributes, std::move(values), outputs});
  }

  Noise noise;
  std::vector<float> features = noise.floats(kBatch * kDims), weight = noise.floats(kDims * kDims);
  std::vector<float> centroid_scales = std::vector<float>(kClusters, 1), row_scales = std::vector<float>(kRows, 1);
  std::vector<float> tasks = noise.floats(kTasks * kBest);
  std::vector<int8_t> centroids = noise.bytes(kClusters * kDims), rows = noise.bytes(kRows * kDims);
  std::vector<int32_t> probes = {1, 2, 4, 8, 16}, minimum = {20, 300, 20, 20, 20}, exact = {1, 1, 1, 1, 0};
  std::vector<int32_t> plan_index = {0, 0, -1, 0, -1}, plan_offsets = {0, 2}, limits = {20, 20, 20, 10, 20};
  std::vector<int32_t> exclude_offsets = {0, 0, 2, 3, 3}, exclude_rows = {5, 9, 100};
  std::vector<int64_t> plan_steps = {2, 0, 0, 0, 6, 0, 0, 0};  // NOT slice 0
  std::vector<int64_t> live = std::vector<int64_t>(kWords, -1), slices = std::vector<int64_t>(kWords, 0x5555), none64;
  std::vector<int32_t> column = std::vector<int32_t>(kRows, 7), none32, ordinals, cluster_begin;
  ProgramSpec spec;
  std::vector<TensorView> inputs, constants;
};

TEST_P(RunAllocation, NoneWhileRunning) {
  std::unique_ptr<Device> device;
  ASSERT_TRUE(open_device("cpu", {GetParam(), "", false}, device).ok());
  Context context;
  context.backend = device->backend();
  std::unique_ptr<Plan> plan;
  const Status planned = Plan::make(spec, constants, {8}, *device, context, false, plan);
  ASSERT_TRUE(planned.ok()) << planned.text;

  std::vector<float> scores(kBatch * kBest), best(kBatch * 2);
  std::vector<int32_t> ids(kBatch * kBest), best_ids(kBatch * 2);
  RunRequest request;
  request.dims = {kBatch};
  for (const TensorView& input : inputs) request.inputs.push_back({input});
  request.outputs = {{scores.data()}, {ids.data()}, {best.data()}, {best_ids.data()}};
  std::vector<TensorView> views;
  RunScratch scratch;
  ASSERT_TRUE(bind_run(*plan, device->place(), request, views).ok());
  const int64_t before = allocations.load();
  for (int32_t run = 0; run < 3; ++run) {
    const Status status = run_plan(*plan, *device, context, request, views, scratch);
    ASSERT_TRUE(status.ok()) << status.text;
  }
  EXPECT_EQ(allocations.load() - before, 0);
  EXPECT_GE(ids[0], 0);
}

INSTANTIATE_TEST_SUITE_P(Threads, RunAllocation, testing::Values(1, 4));

}  // namespace

}  // namespace silverlode
