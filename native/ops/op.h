// What an op is, once, for every device. An op is a struct with
//   kName                              its name everywhere (file stem, TypeScript function, case table)
//   Params                             compile-time attributes, plain data
//   Args                               raw pointers and sizes: all that a kernel sees
//   parse(attributes, params)          attributes -> Params
//   infer(params, dims, inputs, out)   validates inputs, gives output dtypes and shapes; inputs have no data yet
//   bind(params, dims, inputs, outputs, args)  fills Args; runs on the hot path, never allocates
// ops/all_ops.h lists them; the backend table (ops/backend_table.h) has one entry per op, typed by its Args.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/status.h"
#include "core/tensor_view.h"

namespace silverlode {

// A named attribute as recorded in a program: a number, a text, or a list of dimensions/numbers. A symbolic dimension
// is a negative integer, as in Shape.
using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;

class Attributes {
 public:
  std::map<std::string, Attribute> values;

  bool has(const char* name) const { return values.count(name) != 0; }
  // Each getter fails with INVALID_ARGUMENT naming the attribute when it is missing (no default) or of another kind.
  Status get(const char* name, int64_t& value) const;
  Status get(const char* name, double& value) const;  // accepts integers
  Status get(const char* name, std::string& value) const;
  Status get(const char* name, std::vector<int64_t>& value) const;
  template <class T>
  Status get_or(const char* name, T& value, T fallback) const {
    if (has(name)) return get(name, value);
    value = fallback;
    return ok_status();
  }
};

// Values of the symbols of a program; resolve() leaves dims >= 0 alone. Empty while tracing.
struct DimValues {
  std::span<const int64_t> values;

  int64_t resolve(int64_t dim) const {
    const int64_t index = -dim - 1;
    return dim < 0 && index < static_cast<int64_t>(values.size()) ? values[static_cast<size_t>(index)] : dim;
  }
};

struct OutputSpecs {
  static constexpr int32_t kMax = 8;
  int32_t count = 0;
  DType dtypes[kMax] = {};
  Shape shapes[kMax];

  void add(DType dtype, const Shape& shape) {
    dtypes[count] = dtype;
    shapes[count++] = shape;
  }
};

using Inputs = std::span<const TensorView>;
using Outputs = std::span<const TensorView>;

// Scratch memory of one op call, 64-byte aligned, carved from the program's arena. Contents are undefined at entry.
struct Workspace {
  void* data = nullptr;
  size_t bytes = 0;
};

// The state a backend needs to run one op; created by the backend, passed back to it unchanged.
struct Context {
  void* backend = nullptr;                              // CPU: cpu::Runtime*; CUDA: its stream and handles
  const volatile uint32_t* cancel = nullptr;            // long ops poll it between steps; non-zero means ABORTED
  void (*progress)(void* user, double done) = nullptr;  // 0..1, may be null; called from the executor thread
  void* progress_user = nullptr;

  bool cancelled() const { return cancel != nullptr && *cancel != 0; }
};

// One entry of the backend table. `workspace` may be null (none needed) and must not read data pointers. It is planned for
// the capacities of a bucket and serves every smaller run: it never shrinks when a dimension grows.
template <class Args>
struct OpEntry {
  size_t (*workspace)(const Context& context, const Args& args) = nullptr;
  Status (*run)(Context& context, const Args& args, Workspace workspace) = nullptr;
  // Only for ops whose Args have `const void* prepared`: work on constant inputs (packing weights) that a program does once
  // when it is planned. `run` must also work with args.prepared == nullptr (eager calls), out of its workspace.
  size_t (*prepared_bytes)(const Args& args) = nullptr;
  Status (*prepare)(Context& context, const Args& args, void* prepared) = nullptr;
};

}  // namespace silverlode
