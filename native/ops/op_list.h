// All ops by name, behind one type-erased interface: what programs and eager calls are made of.
#pragma once

#include <memory>
#include <string>

#include "ops/op.h"

namespace silverlode {

struct BackendTable;

// An op with its parsed Params. Immutable; may be used from several threads.
class OpInstance {
 public:
  virtual ~OpInstance() = default;

  virtual const char* name() const = 0;
  virtual Status infer(const DimValues& dims, Inputs inputs, OutputSpecs& outputs) const = 0;
  // A view only renames its first input's memory; it is never run.
  virtual bool is_view() const { return false; }

  // `prepared`: whether run() will be given prepared weights, so that no room to pack them is needed.
  virtual size_t workspace(const BackendTable& table, const Context& context, const DimValues& dims, Inputs inputs,
                           Outputs outputs, bool prepared) const = 0;
  // `prepare` reads this input and all after it; they must be constants.
  virtual int32_t first_prepared_input() const = 0;
  virtual size_t prepared_bytes(const BackendTable& table, const DimValues& dims, Inputs inputs,
                                Outputs outputs) const = 0;
  virtual Status prepare(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs,
                         Outputs outputs, void* prepared) const = 0;
  virtual Status run(const BackendTable& table, Context& context, const DimValues& dims, Inputs inputs, Outputs outputs,
                     Workspace workspace, const void* prepared) const = 0;
};

// INVALID_ARGUMENT for an unknown op or attributes that do not parse.
Status make_op(const std::string& name, const Attributes& attributes, std::unique_ptr<OpInstance>& op);

// Names of all ops in alphabetical order.
std::vector<std::string> op_names();

}  // namespace silverlode
