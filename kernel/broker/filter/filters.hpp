// Filter plugins and the programs compiled by them: one per (type, text), shared by everybody who asks for it, released with the last of them.
#pragma once

#include "kernel/base/call_meter.hpp"

#include <gantry++/result.hpp>
#include <gantry/draft/filter.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::broker {

class Filters;

// A component of a plugin that filters.
struct FilterPort {
  std::string name;
  const gantry_filter_v1 *table = nullptr;
  void *self = nullptr;
  CallMeter *compile_meter = nullptr, *eval_meter = nullptr;  // may be null
};

// What one batch of messages came to.
struct Evaluated {
  std::uint64_t match = 0;      // those that match
  std::uint64_t undecided = 0;  // those that cannot be decided
  std::uint32_t looked_at = 0;  // the first so many were decided; fewer than the batch has: the program went over its budget
};

// What an expression has cost so far, and how it is.
struct FilterUsage {
  std::string plugin, type, text;
  CallTotals totals;            // items: messages; errors: those that could not be decided
  std::uint64_t matched = 0;
  std::uint64_t bytes = 0;      // as the plugin says, with what the kernel keeps
  std::uint32_t users = 0;      // subscriptions, and fetches under way
  bool suspended = false;
  std::string reason;           // of the newest message that could not be decided, or why it is suspended; empty when the plugin says nothing
};

// Immutable but for what it counts, and what it learns about how often it matches.
class FilterProgram : public std::enable_shared_from_this<FilterProgram> {
 public:
  FilterProgram(Filters &owner, const FilterPort &port, std::string key, const gantry_filter_program &abi);
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
  [[nodiscard]] Evaluated eval(std::uint32_t shard, gantry_filter_batch &batch) const;
  [[nodiscard]] FilterUsage usage() const;  // [thread: any]

  // How many messages to read so that about `wanted` of them match, as far as the last ones tell: never less than one batch, nor above kReadMax.
  static constexpr std::uint32_t kReadMax = 1024;
  [[nodiscard]] std::uint32_t read_size(std::uint32_t wanted) const;
  void learn(std::uint32_t looked_at, std::uint32_t matched) const;

 private:
  friend class Filters;
  void note(std::int32_t status, const gantry_error &why) const;
  Filters &owner_;
  const FilterPort &port_;
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
  mutable CallMeter meter_;
  mutable std::atomic<std::uint64_t> matched_{0};
  mutable std::atomic<bool> suspended_{false};
  mutable std::mutex reason_mutex_;  // leaf
  mutable std::string reason_;
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
  [[nodiscard]] Result<void> add(FilterPort port);
  [[nodiscard]] Result<void> add(std::string name, const gantry_filter_v1 *table, void *self) { return add(FilterPort{std::move(name), table, self, nullptr, nullptr}); }
  // Gives every program back to its plugin, though shared pointers to them may live on. [thread: control, after the shards stopped]
  void close();

  // The program for an expression, which keeps living as long as somebody holds it. UNSUPPORTED: no plugin offers the type; SYNTAX; LIMIT: of the plugin, or
  // kMaxBytes are in use. [thread: any]
  [[nodiscard]] CompiledFilter compile(std::string_view type, std::string_view text, gantry_error *err);

  [[nodiscard]] bool offers(std::string_view type) const { return ports_.find(type) != ports_.end(); }  // [thread: any]
  [[nodiscard]] std::size_t program_count() const;  // [thread: any]
  // Every program that somebody holds, by type and text. [thread: any]
  [[nodiscard]] std::vector<FilterUsage> usage() const;

 private:
  friend class FilterProgram;
  struct Entry {
    std::weak_ptr<const FilterProgram> shared;
    const FilterProgram *program = nullptr;
  };
  struct Held {
    std::chrono::steady_clock::time_point since;
    std::shared_ptr<const FilterProgram> program;
  };
  static constexpr std::size_t kHeldMax = 32;
  static constexpr std::chrono::minutes kHeldFor{5};

  [[nodiscard]] static bool sane(const gantry_filter_program &program);
  // A suspended program is kept for a while, though nobody holds it: pulls that bring their expression along would compile it anew, and it would run anew.
  void hold(std::shared_ptr<const FilterProgram> program);
  void gone(FilterProgram &program);

  std::map<std::string, FilterPort, std::less<>> ports_;  // by expression type; fixed before the shards run
  mutable std::mutex mutex_;                        // leaf; guards what follows
  std::map<std::string, Entry, std::less<>> programs_;  // by type and text
  std::deque<Held> held_;  // oldest first
  std::uint64_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace gantry::broker
