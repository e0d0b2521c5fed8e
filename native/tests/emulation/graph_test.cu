// Capture, forks and joins, instantiation, update, launch.
#include <algorithm>
#include <string>
#include <thread>

#include "emulation/settings.h"
#include "tests/emulation/device.h"

namespace silverlode::device_test {

namespace {

__global__ void sl_add(uint32_t* word, uint32_t value) { *word += value; }

__global__ void sl_multiply(uint32_t* word, uint32_t value) { *word *= value; }

class GraphTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    emulation::reset(emulation::parse_settings(GetParam()));
    for (cudaStream_t* stream : {&main_, &side_}) cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking);
    for (cudaEvent_t* event : {&forked_, &joined_}) cudaEventCreateWithFlags(event, cudaEventDisableTiming);
  }
  void TearDown() override {
    for (const cudaEvent_t event : {forked_, joined_}) cudaEventDestroy(event);
    for (const cudaStream_t stream : {main_, side_}) cudaStreamDestroy(stream);
    emulation::reset({});
  }

  // word = (word + add) * multiply, and other += add in a stream forked from it.
  cudaGraph_t capture(uint32_t* word, uint32_t* other, uint32_t add, uint32_t multiply) {
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamBeginCapture(main_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    start({.block = 1, .stream = main_}, sl_add, word, add);
    cudaEventRecord(forked_, main_);
    cudaStreamWaitEvent(side_, forked_, 0);
    start({.block = 1, .stream = side_}, sl_add, other, add);
    start({.block = 1, .stream = main_}, sl_multiply, word, multiply);
    cudaEventRecord(joined_, side_);
    cudaStreamWaitEvent(main_, joined_, 0);
    EXPECT_EQ(cudaStreamEndCapture(main_, &graph), cudaSuccess);
    return graph;
  }

  cudaStream_t main_ = nullptr, side_ = nullptr;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
};

TEST_P(GraphTest, RunsWhatWasCaptured) {
  DeviceArray<uint32_t> words(std::vector<uint32_t>{2, 100});
  const cudaGraph_t graph = capture(words.data(), words.data() + 1, 3, 10);
  EXPECT_EQ(words.values(), (std::vector<uint32_t>{2, 100}));  // capturing runs nothing
  size_t n = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &n), cudaSuccess);
  EXPECT_EQ(n, 3u);
  std::vector<cudaGraphNode_t> nodes(n);
  ASSERT_EQ(cudaGraphGetNodes(graph, nodes.data(), &n), cudaSuccess);
  cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
  EXPECT_EQ(cudaGraphNodeGetType(nodes[2], &type), cudaSuccess);
  EXPECT_EQ(type, cudaGraphNodeTypeKernel);

  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, main_), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, main_), cudaSuccess);
  ASSERT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);  // launches under way finish all the same
  ASSERT_EQ(cudaStreamSynchronize(main_), cudaSuccess);
  EXPECT_EQ(words.values(), (std::vector<uint32_t>{530, 106}));
}

TEST_P(GraphTest, UpdateTakesNewArguments) {
  DeviceArray<uint32_t> words(std::vector<uint32_t>{2, 100});
  const cudaGraph_t graph = capture(words.data(), words.data() + 1, 3, 10);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  const cudaGraph_t other = capture(words.data(), words.data() + 1, 1, 2);
  cudaGraphExecUpdateResultInfo info = {};
  ASSERT_EQ(cudaGraphExecUpdate(executable, other, &info), cudaSuccess);
  EXPECT_EQ(info.result, cudaGraphExecUpdateSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, side_), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(side_), cudaSuccess);
  EXPECT_EQ(words.values(), (std::vector<uint32_t>{6, 101}));

  cudaGraph_t shorter = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(main_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  start({.block = 1, .stream = main_}, sl_add, words.data(), 1u);
  ASSERT_EQ(cudaStreamEndCapture(main_, &shorter), cudaSuccess);
  EXPECT_EQ(cudaGraphExecUpdate(executable, shorter, &info), cudaErrorGraphExecUpdateFailure);
  EXPECT_EQ(info.result, cudaGraphExecUpdateErrorTopologyChanged);
  for (const cudaGraph_t each : {graph, other, shorter}) cudaGraphDestroy(each);
  cudaGraphExecDestroy(executable);
  cudaGetLastError();
}

TEST_P(GraphTest, CopiesAndFillsAreNodes) {
  DeviceArray<uint32_t> words(4);
  uint32_t* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 16), cudaSuccess);
  for (uint32_t i = 0; i < 4; ++i) pinned[i] = i;
  ASSERT_EQ(cudaStreamBeginCapture(main_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(words.data(), 0xff, 16, main_), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(words.data(), pinned, 8, cudaMemcpyHostToDevice, main_), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(main_, &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  pinned[1] = 9;  // read when the graph runs
  ASSERT_EQ(cudaGraphLaunch(executable, main_), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(main_), cudaSuccess);
  EXPECT_EQ(words.values(), (std::vector<uint32_t>{0, 9, 0xffffffffu, 0xffffffffu}));
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
  cudaFreeHost(pinned);
}

TEST_P(GraphTest, ForbiddenCallsInvalidateTheCapture) {
  DeviceArray<uint32_t> words(std::vector<uint32_t>{1});
  const auto expect_invalidated = [&](auto call) {
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(main_, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    EXPECT_EQ(cudaStreamIsCapturing(main_, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(start({.block = 1, .stream = main_}, sl_add, words.data(), 1u), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(cudaStreamEndCapture(main_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  };
  expect_invalidated([&] { return cudaStreamSynchronize(main_); });
  expect_invalidated([&] { return cudaDeviceSynchronize(); });
  expect_invalidated([&] {
    void* memory = nullptr;
    return cudaMalloc(&memory, 16);
  });
  cudaGetLastError();
}

TEST_P(GraphTest, AThreadLocalCaptureLetsOtherThreadsAllocate) {
  DeviceArray<uint32_t> words(std::vector<uint32_t>{1});
  const auto allocate = [] {
    void* memory = nullptr;
    const cudaError_t error = cudaMallocHost(&memory, 16);
    cudaFreeHost(memory);
    return error;
  };
  const auto allocated_elsewhere = [&] {
    cudaError_t error = cudaSuccess;
    std::thread([&] { error = allocate(); }).join();
    return error;
  };
  for (const cudaStreamCaptureMode mode : {cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeGlobal}) {
    const bool global = mode == cudaStreamCaptureModeGlobal;
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(main_, mode), cudaSuccess);
    EXPECT_EQ(allocated_elsewhere(), global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
    EXPECT_EQ(cudaStreamEndCapture(main_, &graph), global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
    if (graph != nullptr) cudaGraphDestroy(graph);
    ASSERT_EQ(cudaStreamBeginCapture(main_, mode), cudaSuccess);
    EXPECT_EQ(allocate(), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(cudaStreamEndCapture(main_, &graph), cudaErrorStreamCaptureInvalidated);
  }
  cudaGetLastError();
}

TEST_P(GraphTest, ForksMustBeJoined) {
  DeviceArray<uint32_t> words(std::vector<uint32_t>{1});
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(main_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  cudaEventRecord(forked_, main_);
  cudaStreamWaitEvent(side_, forked_, 0);
  start({.block = 1, .stream = side_}, sl_add, words.data(), 1u);
  EXPECT_EQ(cudaStreamEndCapture(side_, &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamEndCapture(main_, &graph), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(cudaEventQuery(forked_), cudaErrorCapturedEvent);
  cudaGetLastError();
}

INSTANTIATE_TEST_SUITE_P(Modes, GraphTest, testing::Values("streams=eager", "streams=lazy", "streams=rand:5"),
                         [](const auto& info) {
                           const std::string text = info.param;
                           return text.substr(8, text.find(':') - 8);
                         });

// Random mode runs nodes in any order that their dependencies allow: a dependency that is missing shows.
TEST(Graph, RandomModeShowsAMissingDependency) {
  std::vector<uint32_t> results;
  for (uint64_t seed = 1; seed <= 16; ++seed) {
    emulation::Settings settings;
    settings.streams = emulation::StreamMode::kRandom;
    settings.streams_seed = seed;
    emulation::reset(settings);
    cudaStream_t main = nullptr, side = nullptr;
    cudaEvent_t forked = nullptr, joined = nullptr;
    cudaStreamCreateWithFlags(&main, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&forked, cudaEventDisableTiming);
    cudaEventCreateWithFlags(&joined, cudaEventDisableTiming);
    DeviceArray<uint32_t> word(std::vector<uint32_t>{1});
    cudaStreamBeginCapture(main, cudaStreamCaptureModeThreadLocal);
    cudaEventRecord(forked, main);
    cudaStreamWaitEvent(side, forked, 0);
    start({.block = 1, .stream = main}, sl_add, word.data(), 1u);
    start({.block = 1, .stream = side}, sl_multiply, word.data(), 10u);
    cudaEventRecord(joined, side);
    cudaStreamWaitEvent(main, joined, 0);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    ASSERT_EQ(cudaStreamEndCapture(main, &graph), cudaSuccess);
    ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    ASSERT_EQ(cudaGraphLaunch(executable, main), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(main), cudaSuccess);
    results.push_back(word.values()[0]);
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
    cudaEventDestroy(forked);
    cudaEventDestroy(joined);
    cudaStreamDestroy(main);
    cudaStreamDestroy(side);
  }
  emulation::reset({});
  EXPECT_NE(std::find(results.begin(), results.end(), 20u), results.end());
  EXPECT_NE(std::find(results.begin(), results.end(), 11u), results.end());
}

}  // namespace

}  // namespace silverlode::device_test
