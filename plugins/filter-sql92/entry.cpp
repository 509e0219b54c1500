// Symbol and table of the plugin. The component has no state and no keys.
#include "compiler.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <algorithm>
#include <new>

namespace {

using gantry::Error;
using gantry::sql92::Planes;
using gantry::sql92::Program;

gantry_str expression_types(void *) noexcept { return gantry::str("SQL92"); }

// Line and column (both from 1, columns in bytes) of a byte in the text.
void locate(std::string_view text, std::size_t at, std::uint32_t *line, std::uint32_t *column) {
  const std::string_view before = text.substr(0, at);
  const std::size_t begin = before.rfind('\n');
  *line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  *column = static_cast<std::uint32_t>(begin == std::string_view::npos ? at : at - begin - 1) + 1;
}

std::int32_t refuse(std::string_view text, const gantry::sql92::Problem &problem, gantry_error *err) {
  std::uint32_t line = 0, column = 0;
  locate(text, std::min(problem.at, text.size()), &line, &column);
  const std::string where = "SQL92, line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
  const std::int32_t code = gantry::report(Error{problem.code, where + problem.what}, err);
  if (err != nullptr) {
    err->line = line;
    err->column = column;
  }
  return code;
}

// What looks at no message has one answer for all of them.
std::uint32_t reduced(const Program &program) {
  if (!program.columns.empty()) return GANTRY_REDUCED_NONE;
  return gantry::sql92::evaluate(program, nullptr, 1).yes != 0 ? GANTRY_REDUCED_TRUE : GANTRY_REDUCED_FALSE;
}

std::int32_t compile(void *, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) noexcept {
  if (gantry::view(type) != "SQL92") return gantry::report(Error{GANTRY_E_UNSUPPORTED, "filter-sql92 compiles expressions of type SQL92 only"}, err);
  try {
    gantry::sql92::Problem problem;
    std::unique_ptr<Program> program = gantry::sql92::compile(gantry::view(text), &problem);
    if (program == nullptr) return refuse(gantry::view(text), problem, err);
    gantry_filter_program made{};
    made.size = sizeof made;
    made.columns = program->columns.data();
    made.n_columns = static_cast<std::uint32_t>(program->columns.size());
    made.reduced = reduced(*program);
    made.bytes = program->bytes();
    made.cost = program->steps();
    made.program = program.release();
    *out = made;
    return GANTRY_OK;
  } catch (const std::bad_alloc &) {
    return gantry::report(Error{GANTRY_E_NOMEM, "SQL92: no memory to compile the expression"}, err);
  }
}

void program_release(void *, void *program) noexcept { delete static_cast<Program *>(program); }

std::int32_t eval(void *, void *program, std::uint32_t, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
  const Planes planes = gantry::sql92::evaluate(*static_cast<const Program *>(program), batch->cols, batch->n);
  *match = planes.yes;
  *error = planes.error;
  return GANTRY_OK;
}

constexpr gantry_filter_v1 kTable = {expression_types, compile, program_release, eval};

std::int32_t create(const gantry_host *, const gantry_config *, void **self, gantry_error *) noexcept {
  static char stateless;
  *self = &stateless;
  return GANTRY_OK;
}
std::int32_t start(void *, gantry_error *) noexcept { return GANTRY_OK; }
void stop(void *) noexcept {}
void destroy(void *) noexcept {}

constexpr gantry_component kSql92 = {sizeof(gantry_component), 0, GANTRY_FILTER_ID, "sql92", "RocketMQ's SQL92 expressions on message properties", &kTable, nullptr, 0, 0, create, start, stop, destroy, nullptr};
const gantry_component *const kComponents[] = {&kSql92};

}  // namespace

GANTRY_MANIFEST("gantry.filter-sql92", "0.1.0", GANTRY_FILTER_ID)

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    sizeof(gantry_plugin), GANTRY_ABI_MINOR, "gantry.filter-sql92", "0.1.0", "Apache-2.0", "", kComponents, 1, 0,
};
