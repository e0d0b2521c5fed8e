// A recorded program: ops in order, with the shapes of what goes in. Plain data, the same in memory and (as JSON, read and
// written by lib/program) in a model file.
//
// Values are numbered: inputs first, then constants, then the outputs of each step in order. A negative dimension names a
// symbol (-1 is symbols[0]).
#pragma once

#include <string>
#include <vector>

#include "ops/op.h"

namespace silverlode {

struct ValueSpec {
  std::string name;
  DType dtype = DType::kNone;
  Shape shape;
};

struct StepSpec {
  std::string op;
  std::string label;  // where it stands in the module tree, for profiles and errors
  Attributes attributes;
  std::vector<int32_t> inputs;  // value ids; -1 for an optional input that is not given
  int32_t outputs = 0;          // how many values it adds
};

struct ProgramSpec {
  std::vector<std::string> symbols;
  std::vector<ValueSpec> inputs;
  std::vector<ValueSpec> constants;
  std::vector<StepSpec> steps;
  std::vector<int32_t> outputs;  // value ids
};

}  // namespace silverlode
