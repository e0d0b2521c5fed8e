#include "ops/op.h"

#include <cmath>

namespace silverlode {

namespace {

const char* kind_name(const int64_t&) { return "an integer"; }
const char* kind_name(const double&) { return "a number"; }
const char* kind_name(const std::string&) { return "a text"; }
const char* kind_name(const std::vector<int64_t>&) { return "a list of integers"; }

// Doubles at and beyond 2^63 have no int64.
bool to_integer(double number, int64_t& value) {
  if (!(number >= -0x1p63 && number < 0x1p63) || number != std::trunc(number)) return false;
  value = static_cast<int64_t>(number);
  return true;
}

template <class T>
bool convert(const Attribute& attribute, T& value) {
  const T* same = std::get_if<T>(&attribute);
  if (same != nullptr) value = *same;
  return same != nullptr;
}

bool convert(const Attribute& attribute, int64_t& value) {
  if (const double* number = std::get_if<double>(&attribute)) return to_integer(*number, value);
  return convert<int64_t>(attribute, value);
}

bool convert(const Attribute& attribute, double& value) {
  if (const int64_t* number = std::get_if<int64_t>(&attribute)) {
    value = static_cast<double>(*number);
    return true;
  }
  return convert<double>(attribute, value);
}

bool convert(const Attribute& attribute, std::vector<int64_t>& value) {
  const auto* numbers = std::get_if<std::vector<double>>(&attribute);
  if (numbers == nullptr) return convert<std::vector<int64_t>>(attribute, value);
  std::vector<int64_t> integers(numbers->size());
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (!to_integer((*numbers)[i], integers[i])) return false;
  }
  value = std::move(integers);
  return true;
}

template <class T>
Status read(const std::map<std::string, Attribute>& values, const char* name, T& value) {
  const auto found = values.find(name);
  if (found == values.end()) return make_error(Code::kInvalidArgument, "attribute '%s' is missing", name);
  if (convert(found->second, value)) return ok_status();
  return make_error(Code::kInvalidArgument, "attribute '%s' must be %s", name, kind_name(value));
}

}  // namespace

Status Attributes::get(const char* name, int64_t& value) const { return read(values, name, value); }
Status Attributes::get(const char* name, double& value) const { return read(values, name, value); }
Status Attributes::get(const char* name, std::string& value) const { return read(values, name, value); }
Status Attributes::get(const char* name, std::vector<int64_t>& value) const { return read(values, name, value); }

}  // namespace silverlode
