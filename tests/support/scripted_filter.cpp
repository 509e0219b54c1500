#include "support/scripted_filter.h"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <charconv>

namespace gantry::test {

namespace {

struct Script {
  std::string word, argument, column_name;
  gantry_str column{};
};

ScriptedFilter &of(void *self) { return *static_cast<ScriptedFilter *>(self); }

bool starts(std::string_view text, std::string_view word, Script *script) {
  if (!text.starts_with(word)) return false;
  script->word = word;
  script->argument = text.substr(word.size());
  return true;
}

std::int32_t compile(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) noexcept {
  if (view(type) != "SCRIPT") return report(Error{GANTRY_E_UNSUPPORTED, "only SCRIPT"}, err);
  auto *script = new Script;
  gantry_filter_program made{};
  made.size = sizeof made;
  made.bytes = sizeof *script;
  made.cost = 1;
  std::string_view rest = view(text);
  if (rest.starts_with("cost ")) {
    rest.remove_prefix(5);
    const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), made.cost).ptr;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
  if (rest == "all" || rest == "none") {
    made.reduced = rest == "all" ? GANTRY_REDUCED_TRUE : GANTRY_REDUCED_FALSE;
  } else if (starts(rest, "body ", script)) {
    made.flags = GANTRY_PROGRAM_NEEDS_BODY;
  } else if (starts(rest, "props ", script)) {
    made.flags = GANTRY_PROGRAM_NEEDS_PROPS;
  } else if (starts(rest, "error ", script) || starts(rest, "budget ", script)) {
    script->column_name = script->argument;
  } else if (rest == "big") {
    made.bytes = 40u << 20;
  } else if (rest == "insane") {
    made.n_columns = GANTRY_FILTER_COLUMNS_MAX + 1;
  } else if (const std::size_t at = rest.find('='); at != std::string_view::npos) {
    script->word = "equal";
    script->column_name = rest.substr(0, at);
    script->argument = rest.substr(at + 1);
  } else {
    delete script;
    return report(Error{GANTRY_E_SYNTAX, "no such script: " + std::string(rest)}, err);
  }
  if (!script->column_name.empty()) {
    script->column = str(script->column_name);
    made.columns = &script->column;
    made.n_columns = 1;
  }
  made.program = script;
  *out = made;
  ++of(self).compiled;
  return GANTRY_OK;
}

void program_release(void *self, void *program) noexcept {
  ++of(self).released;
  delete static_cast<Script *>(program);
}

void check(ScriptedFilter &filter, const Script &script, const gantry_filter_batch &batch, std::uint64_t match, std::uint64_t error) {
  const auto wrong = [&](const char *what) { filter.faults.emplace_back(what); };
  if (batch.size != sizeof batch || batch.flags != 0) wrong("size or flags");
  if (batch.n < 1 || batch.n > GANTRY_FILTER_BATCH_MAX) wrong("n");
  if (batch.n_columns != (script.column_name.empty() ? 0u : 1u)) wrong("n_columns");
  if ((batch.props != nullptr) != (script.word == "props ")) wrong("props");
  if ((batch.body != nullptr) != (script.word == "body ")) wrong("body");
  if (match != 0 || error != 0) wrong("bitmaps were not cleared");
}

std::int32_t eval(void *self, void *program, std::uint32_t, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
  ScriptedFilter &filter = of(self);
  const Script &script = *static_cast<const Script *>(program);
  check(filter, script, *batch, *match, *error);
  ++filter.evals;
  filter.largest_batch = std::max(filter.largest_batch.load(), batch->n);
  const std::uint32_t n = script.word == "budget " ? batch->n / 2 : batch->n;
  for (std::uint32_t i = 0; i < n; ++i) {
    bool matches = false;
    if (script.word == "equal") matches = view(batch->cols[0][i]) == script.argument;
    if (script.word == "budget " || script.word == "error ") matches = batch->cols[0][i].n != 0;
    if (script.word == "body ") matches = view(batch->body[i]).find(script.argument) != std::string_view::npos;
    if (script.word == "props ") matches = view(batch->props[i]).find(script.argument) != std::string_view::npos;
    (script.word == "error " ? *error : *match) |= static_cast<std::uint64_t>(matches) << i;
  }
  if (script.word == "error ") *match = ~std::uint64_t{0};  // the kernel takes out what is undecided or beyond the end
  return n == batch->n ? GANTRY_OK : GANTRY_E_BUDGET;
}

gantry_str expression_types(void *self) noexcept { return str(of(self).types); }

}  // namespace

const gantry_filter_v1 *ScriptedFilter::table() {
  static constexpr gantry_filter_v1 kTable = {expression_types, compile, program_release, eval};
  return &kTable;
}

}  // namespace gantry::test
