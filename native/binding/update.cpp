// Changes to tensors that programs read, made between two runs of their device.
#include <cstring>

#include "binding/convert.h"
#include "binding/env_state.h"
#include "binding/handles.h"
#include "binding/tensor.h"

namespace silverlode::binding {

namespace {

// Copies of what JavaScript gave, and a share in the table.
struct RowWrite {
  TensorView table;
  std::shared_ptr<void> memory;
  std::vector<int32_t> rows;
  std::vector<uint8_t> bytes;
  size_t row_bytes = 0;
};

void write(const RowWrite& change) {
  uint8_t* const table = change.table.as<uint8_t>();
  for (size_t i = 0; i < change.rows.size(); ++i) {
    const size_t row = static_cast<size_t>(change.rows[i]);
    std::memcpy(table + row * change.row_bytes, change.bytes.data() + i * change.row_bytes, change.row_bytes);
  }
}

}  // namespace

// (device, table, rows: Int32Array, bytes: Uint8Array) -> Promise<void>
Napi::Value write_rows(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto job = std::make_unique<Job>(env);
  job->device = DeviceHandle::from(info[0]);
  const Tensor& tensor = Tensor::from(info[1], "table");
  auto change = std::make_shared<RowWrite>();
  change->table = tensor.view();
  change->memory = tensor.memory();
  const Napi::Int32Array rows = info[2].As<Napi::Int32Array>();
  const Napi::Uint8Array bytes = info[3].As<Napi::Uint8Array>();
  const int64_t table_rows = change->table.shape.rank > 0 ? change->table.shape.dim(0) : 0;
  for (size_t i = 0; i < rows.ElementLength(); ++i) {
    if (rows[i] >= 0 && rows[i] < table_rows) continue;
    check(env, make_error(Code::kInvalidArgument, "row %d lies outside a table of %lld rows", rows[i],
                          static_cast<long long>(table_rows)));
  }
  change->row_bytes = table_rows > 0 ? static_cast<size_t>(change->table.bytes() / table_rows) : 0;
  if (bytes.ByteLength() != change->row_bytes * rows.ElementLength()) {
    check(env, make_error(Code::kShapeMismatch, "%zu rows of %zu bytes do not take %zu bytes", rows.ElementLength(),
                          change->row_bytes, bytes.ByteLength()));
  }
  change->rows.assign(rows.Data(), rows.Data() + rows.ElementLength());
  change->bytes.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  job->work = [change](Context&) {
    write(*change);
    return ok_status();
  };
  job->settle = [](Napi::Env settled) -> Napi::Value { return settled.Undefined(); };
  return EnvState::of(env).start(env, std::move(job));
}

}  // namespace silverlode::binding
