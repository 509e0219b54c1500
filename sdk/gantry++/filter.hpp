// A filter plugin written per message; the loop over a batch is here. The class is one compiled expression:
//
//   static gantry::Compiled<Class> compile(std::string_view text);        // the expression, or a gantry::Refusal
//   std::vector<std::string> columns() const;                             // properties that match looks at, each once
//   gantry::Match match(std::span<const std::string_view> values) const;  // values[c]: of column c, empty when the message lacks it
//
// compile is called while a request waits: it bounds its text, so that it takes no longer than a millisecond or so. match is called on several
// shards at once and never blocks.
#pragma once

#include <gantry++/component.hpp>
#include <gantry++/str.hpp>
#include <gantry/draft/filter.h>

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gantry {

enum class Match { kNo, kYes, kUndecided };

struct Refusal {
  std::size_t at = 0;  // byte of the text where it goes wrong
  std::string text;    // what is wrong there and what was expected
  std::int32_t code = GANTRY_E_SYNTAX;
};

template <typename Class>
using Compiled = std::variant<Class, Refusal>;

template <typename Class>
class FilterOfClass {
 public:
  static std::int32_t compile(std::string_view type, std::string_view text, gantry_filter_program *out, gantry_error *err) noexcept {
    return guarded(err, [&] {
      Compiled<Class> compiled = Class::compile(text);
      if (auto *refusal = std::get_if<Refusal>(&compiled)) return refuse_at(type, text, *refusal, err);
      auto program = std::make_unique<Program>(std::get<Class>(std::move(compiled)));
      for (const std::string &name : program->names) program->columns.push_back(str(name));
      if (program->columns.size() > GANTRY_FILTER_COLUMNS_MAX) return refuse(err, GANTRY_E_LIMIT, "the expression looks at more than 64 properties");
      const auto n = static_cast<std::uint32_t>(program->columns.size());
      *out = gantry_filter_program{sizeof *out, 0, nullptr, program->columns.data(), n, GANTRY_REDUCED_NONE, sizeof(Program) + text.size(), n + 1, 0};
      out->program = program.release();
      return GANTRY_OK;
    });
  }

  static void release(void *program) noexcept { delete static_cast<Program *>(program); }

  static std::int32_t eval(void *self, const gantry_filter_batch &batch, std::uint64_t *match, std::uint64_t *error) noexcept {
    const auto &program = *static_cast<const Program *>(self);
    return guarded(nullptr, [&] {
      std::array<std::string_view, GANTRY_FILTER_COLUMNS_MAX> values;
      for (std::uint32_t i = 0; i < batch.n; ++i) {
        for (std::uint32_t c = 0; c < batch.n_columns; ++c) values[c] = view(batch.cols[c][i]);
        const Match found = program.compiled.match(std::span(values.data(), batch.n_columns));
        if (found == Match::kYes) *match |= std::uint64_t{1} << i;
        if (found == Match::kUndecided) *error |= std::uint64_t{1} << i;
      }
      return GANTRY_OK;
    });
  }

 private:
  struct Program {
    explicit Program(Class of) : compiled(std::move(of)), names(compiled.columns()) {}
    Class compiled;
    std::vector<std::string> names;
    std::vector<gantry_str> columns;  // of names
  };

  // Lines and columns count from 1, columns in bytes.
  static std::int32_t refuse_at(std::string_view type, std::string_view text, const Refusal &refusal, gantry_error *err) {
    std::uint32_t line = 1, column = 1;
    for (const char c : text.substr(0, refusal.at)) {
      column = c == '\n' ? 1 : column + 1;
      if (c == '\n') ++line;
    }
    const std::string where = std::string(type) + ", line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + refusal.text;
    refuse(err, refusal.code, where.c_str());
    if (err != nullptr) {
      err->line = line;
      err->column = column;
    }
    return refusal.code;
  }
};

// What stands behind a component: a filter has no state beside its programs.
template <typename Class, const char *type>
struct FilterTable {
  static gantry_str types(void *) noexcept { return str(type); }
  static std::int32_t compile(void *, gantry_str wanted, gantry_str text, gantry_filter_program *out, gantry_error *err) noexcept {
    if (view(wanted) != type) return refuse(err, GANTRY_E_UNSUPPORTED, "expressions of this type are not this filter's");
    return FilterOfClass<Class>::compile(type, view(text), out, err);
  }
  static void release(void *, void *program) noexcept { FilterOfClass<Class>::release(program); }
  static std::int32_t eval(void *, void *program, std::uint32_t, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
    return FilterOfClass<Class>::eval(program, *batch, match, error);
  }
  static constexpr gantry_filter_v1 kTable = {types, compile, release, eval};
};

struct NoState {};

}  // namespace gantry

// Subscriptions name the expression type. Texts are literals; license is an SPDX identifier.
#define GANTRY_FILTER_PLUGIN(plugin_id, plugin_version, license, component_name, expression_type, Class)                                      \
  static constexpr char gantry_expression_type[] = expression_type;                                                                            \
  GANTRY_PLUGIN_OF_ONE(plugin_id, plugin_version, license, GANTRY_FILTER_ID,                                                                   \
                       (::gantry::component_of_class<::gantry::NoState>(GANTRY_FILTER_ID, component_name, "expressions of type " expression_type, \
                                                                        &::gantry::FilterTable<Class, gantry_expression_type>::kTable)))
