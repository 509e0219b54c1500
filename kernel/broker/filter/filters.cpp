#include "kernel/broker/filter/filters.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace gantry::broker {

namespace {

// What the kernel keeps of a program beside the plugin's memory: text, names, tree node.
constexpr std::uint64_t kBytesPerProgram = 512;

// A client's text on its way to a log.
std::string shown_type(std::string_view type) {
  const bool plain = type.size() <= 64 && std::all_of(type.begin(), type.end(), [](char c) { return c > ' ' && c < 0x7F; });
  return plain ? std::string(type) : "this expression type";
}

std::uint64_t bytes_of(const std::string &key, const gantry_filter_program &program) { return kBytesPerProgram + key.size() * 2 + program.bytes; }

}  // namespace

FilterProgram::FilterProgram(Filters &owner, const FilterPort &port, std::string key, const gantry_filter_program &abi)
    : owner_(owner), port_(port), key_(std::move(key)), abi_(abi) {
  for (std::uint32_t c = 0; c < abi.n_columns; ++c) {
    const std::string_view name = view(abi.columns[c]);
    names_.push_back({name, head_of(name)});
    name_sizes_ |= std::uint64_t{1} << (name.size() % 64);
  }
}

FilterProgram::~FilterProgram() { owner_.gone(*this); }

Evaluated FilterProgram::eval(std::uint32_t shard, gantry_filter_batch &batch) const {
  Evaluated out{0, 0, batch.n};
  if (abi_.program == nullptr) return out;
  std::uint64_t match = 0, error = 0;
  gantry_error why;
  why.text[0] = '\0';
  batch.err = &why;
  const std::uint64_t begin = read_ticks();
  const std::int32_t status = port_.table->eval(port_.self, abi_.program, shard, &batch, &match, &error);
  const std::uint64_t ticks = read_ticks() - begin;
  const std::uint64_t all = batch.n == GANTRY_FILTER_BATCH_MAX ? ~std::uint64_t{0} : (std::uint64_t{1} << batch.n) - 1;
  error &= all;
  if (status == GANTRY_OK || status == GANTRY_E_BUDGET) out.match = match & ~error & all;
  if (status == GANTRY_E_BUDGET) {
    // What comes behind the first one that was not looked at is looked at again with it.
    const std::uint64_t missing = ~(out.match | error) & all;
    if (missing != 0) out.looked_at = static_cast<std::uint32_t>(std::countr_zero(missing));
    error &= out.looked_at == GANTRY_FILTER_BATCH_MAX ? ~std::uint64_t{0} : (std::uint64_t{1} << out.looked_at) - 1;
    out.match &= out.looked_at == GANTRY_FILTER_BATCH_MAX ? ~std::uint64_t{0} : (std::uint64_t{1} << out.looked_at) - 1;
  }
  out.undecided = error;
  const auto undecided = static_cast<std::uint64_t>(std::popcount(error)) + (status < 0 ? 1u : 0u);
  meter_.note(0, out.looked_at, undecided, ticks);
  if (port_.eval_meter != nullptr) port_.eval_meter->note(shard, out.looked_at, undecided, ticks);
  if (out.match != 0) matched_.fetch_add(static_cast<std::uint64_t>(std::popcount(out.match)), std::memory_order_relaxed);
  if (why.text[0] != '\0' || status != GANTRY_OK || suspended_.load(std::memory_order_relaxed)) [[unlikely]] note(status, why);
  return out;
}

void FilterProgram::note(std::int32_t status, const gantry_error &why) const {
  const bool before = suspended_.exchange(status == GANTRY_E_BUDGET, std::memory_order_relaxed);
  if (!before && status == GANTRY_E_BUDGET) owner_.hold(shared_from_this());
  std::string_view text(why.text, ::strnlen(why.text, sizeof why.text));
  if (text.empty() && status == GANTRY_E_BUDGET) text = "the filter is over its budget";
  if (text.empty() && status != GANTRY_OK) text = "the filter fails without saying why";
  if (text.empty()) return;
  const std::lock_guard lock(reason_mutex_);
  reason_ = text;
}

FilterUsage FilterProgram::usage() const {
  FilterUsage out;
  out.plugin = port_.name;
  const std::size_t end = key_.find('\0');
  out.type = key_.substr(0, end);
  out.text = key_.substr(end + 1);
  out.totals = meter_.totals();
  out.matched = matched_.load(std::memory_order_relaxed);
  out.bytes = bytes_of(key_, abi_);
  out.suspended = suspended_.load(std::memory_order_relaxed);
  const std::lock_guard lock(reason_mutex_);
  out.reason = reason_;
  return out;
}

std::uint32_t FilterProgram::read_size(std::uint32_t wanted) const {
  const std::uint64_t per_match = sixteenths_per_match_.load(std::memory_order_relaxed);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>((wanted + 1) * per_match / 16, GANTRY_FILTER_BATCH_MAX, kReadMax));
}

void FilterProgram::learn(std::uint32_t looked_at, std::uint32_t matched) const {
  if (looked_at == 0) return;
  const std::uint32_t seen = matched == 0 ? kReadMax * 16 : looked_at * 16 / matched;
  const std::uint32_t before = sixteenths_per_match_.load(std::memory_order_relaxed);
  sixteenths_per_match_.store(before - before / 4 + std::min(seen, kReadMax * 16) / 4, std::memory_order_relaxed);
}

Filters::~Filters() { GANTRY_ASSERT(programs_.empty()); }

Result<void> Filters::add(FilterPort port) {
  const std::string &name = port.name;
  std::string_view types = view(port.table->expression_types(port.self));
  while (!types.empty()) {
    const std::size_t end = std::min(types.find(' '), types.size());
    const std::string type(types.substr(0, end));
    types.remove_prefix(std::min(end + 1, types.size()));
    if (type.empty()) continue;
    if (is_tag_type(type)) return Error{GANTRY_E_CONFIG, "filter '" + name + "' offers the expression type TAG, which the broker has itself"};
    const auto [it, added] = ports_.try_emplace(type, port);
    if (!added) return Error{GANTRY_E_CONFIG, "filters '" + it->second.name + "' and '" + name + "' both offer the expression type " + type + ": leave one out of [broker] filters"};
  }
  return {};
}

bool Filters::sane(const gantry_filter_program &program) {
  return program.program != nullptr && program.n_columns <= GANTRY_FILTER_COLUMNS_MAX && (program.n_columns == 0 || program.columns != nullptr) && program.reduced <= GANTRY_REDUCED_FALSE;
}

CompiledFilter Filters::compile(std::string_view type, std::string_view text, gantry_error *err) {
  const auto refuse = [err](std::int32_t code, std::string what) { return CompiledFilter{report(Error{code, std::move(what)}, err), nullptr}; };
  const auto port = ports_.find(type);
  if (port == ports_.end()) return refuse(GANTRY_E_UNSUPPORTED, "The broker does not support consumer to filter message by " + shown_type(type));
  std::string key(type);
  key += '\0';
  key += text;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return refuse(GANTRY_E_CLOSED, "the broker is shutting down");
    if (const auto it = programs_.find(key); it != programs_.end())
      if (auto shared = it->second.shared.lock(); shared != nullptr) return {GANTRY_OK, std::move(shared)};
  }
  // Not under the mutex: two shards may compile the same text at once, and the second one to come uses what the first one made.
  const std::string &name = port->second.name;
  const gantry_filter_v1 *const table = port->second.table;
  void *const self = port->second.self;
  gantry_filter_program abi{};
  gantry_error problem{};
  const std::uint64_t begin = read_ticks();
  const std::int32_t status = table->compile(self, str(type), str(text), &abi, &problem);
  if (CallMeter *const meter = port->second.compile_meter; meter != nullptr) meter->note(0, 1, status != GANTRY_OK ? 1 : 0, read_ticks() - begin);
  if (status != GANTRY_OK) return refuse(status < 0 ? status : GANTRY_E_INTERNAL, problem.text[0] != '\0' ? std::string(problem.text) : "filter '" + name + "' refuses the expression");
  if (!sane(abi)) {
    table->program_release(self, abi.program);
    return refuse(GANTRY_E_INTERNAL, "filter '" + name + "' made a program that is against its interface");
  }
  const std::uint64_t bytes = bytes_of(key, abi);
  std::shared_ptr<const FilterProgram> made;  // outlives the lock: letting go of it takes the mutex
  const std::lock_guard lock(mutex_);
  if (const auto it = programs_.find(key); it != programs_.end())
    if (auto shared = it->second.shared.lock(); shared != nullptr) {
      table->program_release(self, abi.program);
      return {GANTRY_OK, std::move(shared)};
    }
  if (bytes_ + bytes > kMaxBytes) {
    table->program_release(self, abi.program);
    return refuse(GANTRY_E_LIMIT, "the filters of all consumers take " + std::to_string(bytes_ >> 20) + " MiB already, which is as much as they may");
  }
  bytes_ += bytes;
  made = std::make_shared<FilterProgram>(*this, port->second, key, abi);
  programs_[key] = Entry{made, made.get()};
  return {GANTRY_OK, made};
}

// A program has lost its last user, or the broker stops.
void Filters::gone(FilterProgram &program) {
  {
    const std::lock_guard lock(mutex_);
    // A new program may have taken the place of one that was about to go.
    if (const auto it = programs_.find(program.key_); it != programs_.end() && it->second.program == &program) programs_.erase(it);
    if (program.abi_.program == nullptr) return;
    bytes_ -= bytes_of(program.key_, program.abi_);
  }
  program.port_.table->program_release(program.port_.self, program.abi_.program);
}

void Filters::hold(std::shared_ptr<const FilterProgram> program) {
  std::vector<Held> gone;  // after the mutex
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  const auto now = std::chrono::steady_clock::now();
  while (!held_.empty() && (held_.size() >= kHeldMax || now - held_.front().since > kHeldFor)) {
    gone.push_back(std::move(held_.front()));
    held_.pop_front();
  }
  held_.push_back({now, std::move(program)});
}

void Filters::close() {
  std::vector<std::shared_ptr<const FilterProgram>> alive;
  std::deque<Held> held;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    held.swap(held_);
    for (const auto &[key, entry] : programs_)
      if (auto shared = entry.shared.lock(); shared != nullptr) alive.push_back(std::move(shared));
  }
  for (const auto &shared : alive) {
    auto &program = const_cast<FilterProgram &>(*shared);  // nobody evaluates any more
    {
      const std::lock_guard lock(mutex_);
      bytes_ -= bytes_of(program.key_, program.abi_);
    }
    program.port_.table->program_release(program.port_.self, std::exchange(program.abi_.program, nullptr));
  }
}

std::vector<FilterUsage> Filters::usage() const {
  std::vector<std::shared_ptr<const FilterProgram>> alive, held;  // let go of without the mutex
  {
    const std::lock_guard lock(mutex_);
    for (const Held &each : held_) held.push_back(each.program);
    for (const auto &[key, entry] : programs_)
      if (auto shared = entry.shared.lock(); shared != nullptr) alive.push_back(std::move(shared));
  }
  std::vector<FilterUsage> out;
  for (const auto &program : alive) {
    out.push_back(program->usage());
    const bool is_held = std::find(held.begin(), held.end(), program) != held.end();
    out.back().users = static_cast<std::uint32_t>(program.use_count()) - (is_held ? 3 : 1);  // less those of here
  }
  return out;
}

std::size_t Filters::program_count() const {
  const std::lock_guard lock(mutex_);
  return programs_.size();
}

}  // namespace gantry::broker
