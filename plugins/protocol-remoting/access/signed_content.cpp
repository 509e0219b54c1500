#include "access/signed_content.hpp"

#include <gantry++/result.hpp>

namespace gantry::remoting {
namespace {

constexpr std::string_view kSignature = "Signature";

// Fields by ascending name; equal names keep their order. Clients write few of them and mostly sorted.
std::uint32_t sort_fields(const ExtField *fields, std::uint32_t n, const ExtField **sorted) {
  for (std::uint32_t i = 0; i < n; ++i) {
    std::uint32_t at = i;
    while (at > 0 && fields[i].key < sorted[at - 1]->key) {
      sorted[at] = sorted[at - 1];
      --at;
    }
    sorted[at] = &fields[i];
  }
  return n;
}

bool is_repeated(const ExtField *const *sorted, std::uint32_t i, std::uint32_t n) { return i + 1 < n && sorted[i]->key == sorted[i + 1]->key; }

}  // namespace

void append_signed_content(const Header &header, std::string_view left_out, std::string &out) {
  const ExtField *sorted[kExtFieldsMax];
  const std::uint32_t n = sort_fields(header.ext, header.n_ext, sorted);
  std::uint32_t next = 0;
  const auto up_to = [&](std::string_view limit) {
    for (; next < n && (limit.empty() || sorted[next]->key < limit); ++next) {
      const ExtField &field = *sorted[next];
      if (is_repeated(sorted, next, n) || field.key == kSignature || (!left_out.empty() && field.key == left_out)) continue;
      out.append(field.value);
    }
  };
  for (std::uint32_t left = header.letters_set; left != 0; left &= left - 1) {
    const int letter = __builtin_ctz(left);
    const char name = static_cast<char>('a' + letter);
    up_to({&name, 1});
    out.append(header.letters[letter]);
  }
  up_to({});
}

void append_signed_content(const ExtField *fields, std::uint32_t n, std::string &out) {
  GANTRY_ASSERT(n <= kExtFieldsMax);
  const ExtField *sorted[kExtFieldsMax];
  (void)sort_fields(fields, n, sorted);
  for (std::uint32_t i = 0; i < n; ++i)
    if (!is_repeated(sorted, i, n) && sorted[i]->key != kSignature) out.append(sorted[i]->value);
}

}  // namespace gantry::remoting
