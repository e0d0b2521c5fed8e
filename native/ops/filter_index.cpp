#include "ops/filter_index.h"

#include <iterator>

#include "ops/check.h"

namespace silverlode {

namespace {

// [any, columns], or any shape without elements.
Status check_table(const char* op, const char* name, const TensorView& view, DType dtype, int64_t columns) {
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, name, view, dtype));
  if (view.elements() == 0) return ok_status();
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, name, view, 2));
  return check_shape(op, name, view, {view.shape.dim(0), columns});
}

// [entries + 1], or nothing at all.
Status check_offsets(const char* op, const char* name, const TensorView& view, DType dtype, int64_t entries,
                     bool needed) {
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, name, view, dtype));
  if (view.elements() == 0 && !needed) return ok_status();
  return check_shape(op, name, view, {entries + 1});
}

Status check_filter_dtypes(const char* op, Inputs inputs, size_t first) {
  constexpr DType kDtypes[] = {DType::kI64, DType::kI64, DType::kI64, DType::kI32,
                               DType::kI64, DType::kI32, DType::kI32};
  static_assert(std::size(kDtypes) == kFilterIndexInputs);
  for (size_t i = 0; i < std::size(kDtypes); ++i) {
    SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "filter index", inputs[first + i], kDtypes[i]));
  }
  return ok_status();
}

int64_t table_rows(const TensorView& view) { return view.elements() == 0 ? 0 : view.shape.dim(0); }

template <class T>
const T* data_or_null(const TensorView& view) {
  return view.elements() == 0 ? nullptr : view.as<const T>();
}

}  // namespace

Status check_filter_index(const char* op, Inputs inputs, size_t first, int64_t words) {
  // While a module is traced the size may be a symbol; how the parts fit each other is checked when a program is planned.
  if (words < 0) return check_filter_dtypes(op, inputs, first);
  if (words % kBlockWords != 0 || words > INT32_MAX / 64) {
    return make_error(Code::kShapeMismatch, "%s: a mask of %lld words is not whole blocks of 8 words", op,
                      static_cast<long long>(words));
  }
  const int64_t rows = words * 64;
  const bool has_bloom = inputs[first + 1].elements() > 0;
  SILVERLODE_RETURN_IF_ERROR(check_table(op, "slices", inputs[first], DType::kI64, words));
  SILVERLODE_RETURN_IF_ERROR(check_table(op, "bloom", inputs[first + 1], DType::kI64, kBlockWords));
  SILVERLODE_RETURN_IF_ERROR(
      check_offsets(op, "bloom_offsets", inputs[first + 2], DType::kI64, words / kBlockWords, has_bloom));
  SILVERLODE_RETURN_IF_ERROR(check_table(op, "columns32", inputs[first + 3], DType::kI32, rows));
  SILVERLODE_RETURN_IF_ERROR(check_table(op, "columns64", inputs[first + 4], DType::kI64, rows));
  SILVERLODE_RETURN_IF_ERROR(check_offsets(op, "term_offsets", inputs[first + 5], DType::kI32, rows, has_bloom));
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "terms", inputs[first + 6], DType::kI32));
  return check_rank(op, "terms", inputs[first + 6], 1);
}

FilterIndexRef bind_filter_index(Inputs inputs, size_t first, int64_t words, int64_t hashes) {
  FilterIndexRef index;
  index.slices = data_or_null<uint64_t>(inputs[first]);
  index.bloom = data_or_null<uint64_t>(inputs[first + 1]);
  index.bloom_offsets = data_or_null<int64_t>(inputs[first + 2]);
  index.columns32 = data_or_null<int32_t>(inputs[first + 3]);
  index.columns64 = data_or_null<int64_t>(inputs[first + 4]);
  index.term_offsets = data_or_null<int32_t>(inputs[first + 5]);
  index.terms = data_or_null<int32_t>(inputs[first + 6]);
  index.rows = words * 64;
  index.words = words;
  index.n_slices = table_rows(inputs[first]);
  index.positions = table_rows(inputs[first + 1]);
  index.n_columns32 = table_rows(inputs[first + 3]);
  index.n_columns64 = table_rows(inputs[first + 4]);
  index.n_terms = inputs[first + 6].elements();
  index.hashes = static_cast<int32_t>(hashes);
  return index;
}

Status check_plan_inputs(const char* op, Inputs inputs, size_t first) {
  const TensorView& offsets = inputs[first];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "plan_offsets", offsets, DType::kI32));
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, "plan_offsets", offsets, 1));
  if (offsets.shape.dim(0) == 0) {
    return make_error(Code::kShapeMismatch, "%s: input 'plan_offsets' must have an entry more than there are plans",
                      op);
  }
  const TensorView& steps = inputs[first + 1];
  SILVERLODE_RETURN_IF_ERROR(check_dtype(op, "plan_steps", steps, DType::kI64));
  SILVERLODE_RETURN_IF_ERROR(check_rank(op, "plan_steps", steps, 2));
  return check_shape(op, "plan_steps", steps, {steps.shape.dim(0), 4});
}

FilterPlansRef bind_plans(Inputs inputs, size_t first) {
  static_assert(sizeof(FilterStep) == 4 * sizeof(int64_t));
  FilterPlansRef plans;
  plans.offsets = inputs[first].as<const int32_t>();
  plans.steps = inputs[first + 1].as<const FilterStep>();
  plans.plans = inputs[first].shape.dim(0) - 1;
  plans.total_steps = inputs[first + 1].shape.dim(0);
  return plans;
}

Status parse_hashes(const Attributes& attributes, int64_t& hashes) {
  SILVERLODE_RETURN_IF_ERROR(attributes.get_or("hashes", hashes, int64_t{hashes}));
  if (hashes >= 0 && hashes <= kMaxHashes) return ok_status();
  return make_error(Code::kInvalidArgument, "attribute 'hashes' must lie in [0, %lld]",
                    static_cast<long long>(kMaxHashes));
}

namespace {

Status check_plan(const FilterPlansRef& plans, int64_t plan, const FilterIndexRef& index) {
  const int32_t begin = plans.offsets[plan];
  const int32_t end = plans.offsets[plan + 1];
  int32_t depth = 0;
  for (int32_t i = begin; i < end; ++i) {
    const int32_t taken = filter_operands(plans.steps[i], index);
    if (taken < 0 || taken > depth || depth - taken >= kMaxFilterStack || !keeps_run(plans.steps, i, end)) {
      return make_error(Code::kInvalidArgument, "filter plan %lld: step %d is not valid", static_cast<long long>(plan),
                        i - begin);
    }
    depth += 1 - taken;
  }
  if (depth == 1 || begin == end) return ok_status();
  return make_error(Code::kInvalidArgument, "filter plan %lld leaves %d results instead of one",
                    static_cast<long long>(plan), depth);
}

}  // namespace

Status check_filter_plans(const FilterPlansRef& plans, const FilterIndexRef& index) {
  int32_t previous = 0;
  for (int64_t i = 0; i <= plans.plans; ++i) {
    const int32_t offset = plans.offsets[i];
    if (offset < previous || offset > plans.total_steps || (i == 0 && offset != 0)) {
      return make_error(Code::kInvalidArgument, "plan_offsets[%lld] = %d is not valid", static_cast<long long>(i),
                        offset);
    }
    previous = offset;
  }
  for (int64_t plan = 0; plan < plans.plans; ++plan) {
    SILVERLODE_RETURN_IF_ERROR(check_plan(plans, plan, index));
  }
  return ok_status();
}

}  // namespace silverlode
