// Filter plugins and the programs compiled by them: one per (type, text), shared by everybody who asks for it, released with the last of them.
#pragma once

#include <gantry++/result.hpp>
#include <gantry/draft/filter.h>

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::broker {

class Filters;

// Immutable but for what it learns about how often it matches.
class FilterProgram {
 public:
  FilterProgram(Filters &owner, const gantry_filter_v1 *table, void *self, std::string key, const gantry_filter_program &abi);
  ~FilterProgram();  // [thread: any]
  FilterProgram(const FilterProgram &) = delete;
  FilterProgram &operator=(const FilterProgram &) = delete;

  [[nodiscard]] std::uint32_t reduced() const { return abi_.reduced; }
  [[nodiscard]] std::uint32_t flags() const { return abi_.flags; }
  [[nodiscard]] std::uint32_t cost() const { return abi_.cost != 0 ? abi_.cost : 1; }
  [[nodiscard]] std::uint32_t n_columns() const { return abi_.n_columns; }
  // The column of a property; n_columns() when it is not asked for.
  [[nodiscard]] std::uint32_t column_of(std::string_view name) const {
    if ((name_sizes_ >> (name.size() % 64) & 1) == 0) return abi_.n_columns;
    const std::uint64_t head = head_of(name);
    std::uint32_t c = 0;
    while (c < abi_.n_columns && !(names_[c].head == head && names_[c].text.size() == name.size() && (name.size() <= sizeof head || names_[c].text == name))) ++c;
    return c;
  }
  // Which messages match. Those that cannot be decided do not, nor does any after Filters::close. [thread: shard]
  [[nodiscard]] std::uint64_t eval(std::uint32_t shard, const gantry_filter_batch &batch) const;

  // How many messages to read so that about `wanted` of them match, as far as the last ones tell: never less than one batch, nor above kReadMax.
  static constexpr std::uint32_t kReadMax = 1024;
  [[nodiscard]] std::uint32_t read_size(std::uint32_t wanted) const;
  void learn(std::uint32_t looked_at, std::uint32_t matched) const;

 private:
  friend class Filters;
  Filters &owner_;
  const gantry_filter_v1 *const table_;
  void *const self_;
  const std::string key_;
  gantry_filter_program abi_;
  struct Name {
    std::string_view text;
    std::uint64_t head;
  };
  // Names of one size and of at most eight bytes are equal when these are; most names are that short, and comparing them needs no call.
  [[nodiscard]] static std::uint64_t head_of(std::string_view name) {
    const auto load = [&name](std::size_t at, auto number) {
      std::memcpy(&number, name.data() + at, sizeof number);
      return std::uint64_t{number};
    };
    const std::size_t n = name.size();
    if (n >= 8) return load(0, std::uint64_t{});
    if (n >= 4) return load(n - 4, std::uint32_t{}) << 32 | load(0, std::uint32_t{});
    if (n >= 2) return load(n - 2, std::uint16_t{}) << 16 | load(0, std::uint16_t{});
    return n == 1 ? load(0, std::uint8_t{}) : 0;
  }
  std::vector<Name> names_;
  std::uint64_t name_sizes_ = 0;  // bit per length, modulo 64
  mutable std::atomic<std::uint32_t> sixteenths_per_match_{16};  // messages looked at for one that matches
};

// What became of the expression of a subscription.
struct CompiledFilter {
  std::int32_t status = GANTRY_OK;  // or SYNTAX, LIMIT, UNSUPPORTED, NOMEM, INTERNAL; for a tag expression OK without a program
  std::shared_ptr<const FilterProgram> program;
};

[[nodiscard]] inline bool is_tag_type(std::string_view expression_type) { return expression_type.empty() || expression_type == "TAG"; }

// Compiling is done on the shard that has the request: plugins bound it (see sdk/gantry/draft/filter.h), and most requests find their program here.
class Filters {
 public:
  static constexpr std::uint64_t kMaxBytes = 64u << 20;  // of all programs together, with their texts

  ~Filters();

  // A component of a plugin; its types must not be offered yet. [thread: control, before the shards run]
  [[nodiscard]] Result<void> add(std::string name, const gantry_filter_v1 *table, void *self);
  // Gives every program back to its plugin, though shared pointers to them may live on. [thread: control, after the shards stopped]
  void close();

  // The program for an expression, which keeps living as long as somebody holds it. UNSUPPORTED: no plugin offers the type; SYNTAX; LIMIT: of the plugin, or
  // kMaxBytes are in use. [thread: any]
  [[nodiscard]] CompiledFilter compile(std::string_view type, std::string_view text, gantry_error *err);

  [[nodiscard]] std::size_t program_count() const;  // [thread: any]

 private:
  friend class FilterProgram;
  struct Port {
    std::string name;
    const gantry_filter_v1 *table = nullptr;
    void *self = nullptr;
  };
  struct Entry {
    std::weak_ptr<const FilterProgram> shared;
    const FilterProgram *program = nullptr;
  };
  [[nodiscard]] static bool sane(const gantry_filter_program &program);
  void gone(FilterProgram &program);

  std::map<std::string, Port, std::less<>> ports_;  // by expression type; fixed before the shards run
  mutable std::mutex mutex_;                        // leaf; guards what follows
  std::map<std::string, Entry, std::less<>> programs_;  // by type and text
  std::uint64_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace gantry::broker
