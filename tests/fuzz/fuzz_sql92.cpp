// SQL92 expressions: any text compiles or is refused with a place in it, and what compiles runs on any values. Input: expression, 0, values.
#include "compiler.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <vector>

using namespace gantry::sql92;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char *>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string_view text = input.substr(0, end);
  Problem problem;
  const auto program = compile(text, &problem);
  if (program == nullptr) {
    GANTRY_ASSERT(problem.code == GANTRY_E_SYNTAX || problem.code == GANTRY_E_LIMIT);
    GANTRY_ASSERT(problem.at <= text.size() && !problem.what.empty());
    return 0;
  }
  GANTRY_ASSERT(text.size() <= kMaxTextBytes && program->columns.size() <= GANTRY_FILTER_COLUMNS_MAX && !program->ops.empty());
  // The values, separated by line ends, go round the columns and places.
  std::vector<gantry_str> values;
  for (std::size_t at = std::min(end + 1, input.size()); at < input.size();) {
    const std::size_t stop = std::min(input.find('\n', at), input.size());
    values.push_back(gantry::str(input.substr(at, stop - at)));
    at = stop + 1;
  }
  values.push_back(gantry_str{});
  const std::uint32_t n = static_cast<std::uint32_t>(size % 64) + 1;
  std::vector<std::vector<gantry_str>> columns(program->columns.size());
  std::vector<const gantry_str *> pointers;
  std::size_t next = 0;
  for (auto &column : columns) {
    for (std::uint32_t i = 0; i < n; ++i) column.push_back(values[next++ % values.size()]);
    pointers.push_back(column.data());
  }
  const Planes all = evaluate(*program, pointers.data(), n);
  const std::uint64_t beyond = n == 64 ? 0 : ~std::uint64_t{0} << n;
  GANTRY_ASSERT((all.yes & all.no) == 0 && (all.yes & all.error) == 0 && (all.no & all.error) == 0);
  GANTRY_ASSERT(((all.yes | all.no | all.error) & beyond) == 0);
  // One alone has the answer that it has among others.
  std::vector<const gantry_str *> last;
  for (const auto &column : columns) last.push_back(&column[n - 1]);
  const Planes one = evaluate(*program, last.data(), 1);
  GANTRY_ASSERT((all.yes >> (n - 1) & 1) == one.yes && (all.no >> (n - 1) & 1) == one.no && (all.error >> (n - 1) & 1) == one.error);
  return 0;
}
