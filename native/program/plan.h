// A program prepared for one bucket of capacities: shapes, one arena laid out ahead, constants packed once. Planning
// allocates; running does not.
#pragma once

#include <memory>
#include <vector>

#include "ops/device.h"
#include "ops/op_list.h"
#include "program/spec.h"

namespace silverlode {

// Most inputs any op takes; steps beyond it are refused.
constexpr int32_t kMaxStepInputs = 32;

struct PlannedStep {
  std::unique_ptr<OpInstance> op;
  std::string label;            // where it stands in the module tree
  std::string title;            // op and label, for profilers
  std::vector<int32_t> inputs;  // value ids, -1 for an absent one
  int32_t first_output = 0;
  int32_t outputs = 0;
  size_t workspace_offset = 0;
  size_t workspace_bytes = 0;
  std::shared_ptr<void> prepared;
};

class Plan {
 public:
  // `constants` in the order of spec.constants and where the device's ops read, `capacities` one per symbol. Validates everything: unknown ops, dangling
  // value ids, constants against the spec, shapes along the way. With `count_only` nothing is allocated and the plan can
  // only tell its sizes and shapes.
  static Status make(const ProgramSpec& spec, std::vector<TensorView> constants, std::vector<int64_t> capacities,
                     Device& device, Context& context, bool count_only, std::unique_ptr<Plan>& plan);

  const std::vector<PlannedStep>& steps() const { return steps_; }
  const std::vector<int64_t>& capacities() const { return capacities_; }
  const std::vector<ValueSpec>& inputs() const { return inputs_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  size_t n_values() const { return values_.size(); }
  size_t arena_bytes() const { return arena_bytes_; }
  size_t prepared_bytes() const { return prepared_bytes_; }

  // Where host input `index` is brought before its first use; null on a device that reads host memory.
  void* input_memory(size_t index) const {
    const size_t offset = values_[index].offset;
    return offset == kNotInArena ? nullptr : static_cast<uint8_t*>(arena_.get()) + offset;
  }
  // Makes the step that produces a value write it to `memory` in this run. False when there is no such step (the value is an
  // input or a constant) or it writes elsewhere already.
  bool redirect(int32_t value, void* memory, std::vector<TensorView>& views) const;

  // Fills `views` (n_values() of them) for a run at the given symbol values: input data from `inputs`, everything else in
  // the arena or at the constants. Checks dims against the capacities and inputs against the program. Never allocates.
  Status bind(const DimValues& dims, Inputs inputs, std::vector<TensorView>& views) const;

  Workspace workspace(const PlannedStep& step) const {
    return {static_cast<uint8_t*>(arena_.get()) + step.workspace_offset, step.workspace_bytes};
  }

  // The inputs of a step out of `views`; absent ones stay empty.
  static Inputs gather(const PlannedStep& step, const std::vector<TensorView>& views, TensorView* storage);

 private:
  static constexpr size_t kNotInArena = static_cast<size_t>(-1);

  struct Value {
    int32_t root = 0;  // the value whose memory this is: itself unless a view
    size_t offset = kNotInArena;
  };

  Status read(const ProgramSpec& spec);
  Status infer_steps(const DimValues& dims, std::vector<TensorView>& views) const;
  void lay_out(const Device& device, const Context& context, const std::vector<TensorView>& views);
  Status prepare(Device& device, Context& context, std::vector<TensorView>& views, bool count_only);
  Status prepare_step(Device& device, Context& context, PlannedStep& step, std::vector<TensorView>& views,
                      size_t bytes);
  bool has_constant_weights(const PlannedStep& step) const;

  std::vector<PlannedStep> steps_;
  std::vector<ValueSpec> inputs_;
  std::vector<ValueSpec> constant_specs_;
  std::vector<TensorView> constants_;
  std::vector<int32_t> outputs_;
  std::vector<int64_t> capacities_;
  std::vector<std::string> symbols_;
  std::vector<Value> values_;
  std::shared_ptr<void> arena_;
  size_t arena_bytes_ = 0;
  size_t prepared_bytes_ = 0;
};

}  // namespace silverlode
