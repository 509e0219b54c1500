// A filter of expressions NAME=VALUE with one fault, which BAD_... names, and none without it. The conformance kit must find each.
#include <gantry++/filter.hpp>

namespace {

struct Equals {
  std::string name, value;
  static gantry::Compiled<Equals> compile(std::string_view text) {
    const std::size_t sign = text.find('=');
    if (text.size() > 1000) return gantry::Refusal{1000, "too long", GANTRY_E_LIMIT};
    if (sign == std::string_view::npos) return gantry::Refusal{text.size(), "no ="};
#ifndef BAD_NAMELESS_COLUMN
    if (sign == 0) return gantry::Refusal{0, "no name"};
#endif
    return Equals{std::string(text.substr(0, sign)), std::string(text.substr(sign + 1))};
  }
  [[nodiscard]] std::vector<std::string> columns() const { return {name}; }
  [[nodiscard]] gantry::Match match(std::span<const std::string_view> values) const {
    if (values[0] == "?") return gantry::Match::kUndecided;
    return values[0] == value ? gantry::Match::kYes : gantry::Match::kNo;
  }
};

constexpr char kType[] = "EQUALS";
using Good = gantry::FilterTable<Equals, kType>;

std::int32_t eval(void *self, void *program, std::uint32_t shard, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
  const std::int32_t code = Good::eval(self, program, shard, batch, match, error);
#ifdef BAD_LAST_OF_MANY
  if (batch->n > 40) *match &= ~(std::uint64_t{1} << (batch->n - 1));
#endif
#ifdef BAD_BITS_BEYOND
  if (batch->n < 64) *match |= std::uint64_t{1} << batch->n;
#endif
#ifdef BAD_UNKNOWN_MATCHES
  *match |= *error;
  *error = 0;
#endif
#ifdef BAD_BOTH
  *match |= *error;
#endif
  return code;
}

std::int32_t compile(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) noexcept {
  const std::int32_t code = Good::compile(self, type, text, out, err);
#ifdef BAD_NO_POSITION
  if (err != nullptr) err->line = err->column = 0;
#endif
#ifdef BAD_WRITES_ON_REFUSAL
  if (code != GANTRY_OK) out->bytes = 0;
#endif
#ifdef BAD_CRASHES_ON_NUL
  if (text.n > 0 && text.p[0] == '\0') __builtin_trap();
#endif
  return code;
}

#ifdef BAD_OFFERS_TAG
gantry_str types(void *) noexcept { return gantry::str("EQUALS TAG"); }
#else
gantry_str types(void *) noexcept { return gantry::str("EQUALS"); }
#endif

constexpr gantry_filter_v1 kTable = {types, compile, Good::release, eval};

}  // namespace

GANTRY_PLUGIN_OF_ONE("test.bad-filter", "1.0.0", "Apache-2.0", GANTRY_FILTER_ID, (gantry::component_of_class<gantry::NoState>(GANTRY_FILTER_ID, "bad", "has one fault", &kTable)))
