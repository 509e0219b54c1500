#include "kernel/broker/filter/columns.hpp"

#include "kernel/broker/filter/property_walk.hpp"
#include "kernel/broker/record/record.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <cstring>

namespace gantry::broker {

namespace {

constexpr std::uint64_t kStepWork = 64;  // of a step that looks at nothing
constexpr std::size_t kLineBytes = 64, kPrefetchBytes = 4 * kLineBytes;

}  // namespace

void FilterColumns::begin(const FilterProgram &program) {
  program_ = &program;
  for (std::uint32_t c = 0; c < program.n_columns(); ++c) columns_[c] = values_[c];
  n_ = 0;
  work_ = 0;
}

void FilterColumns::add(std::string_view record) {
  GANTRY_ASSERT(n_ < GANTRY_FILTER_BATCH_MAX);
  MessageParts message;
  if (!find_parts(record, &message)) message = {};
  props_[n_] = str(message.props);
  bodies_[n_] = str(message.body);
  // They lie scattered in memory that no cache may hold: asked for now, they are there when the whole batch is looked at.
  const std::size_t wanted = std::min(message.props.size(), kPrefetchBytes);
  for (std::size_t at = 0; at < wanted; at += kLineBytes) __builtin_prefetch(message.props.data() + at);
  const bool body = (program_->flags() & GANTRY_PROGRAM_NEEDS_BODY) != 0;
  work_ += program_->cost() * (kStepWork + message.props.size() + (body ? message.body.size() : 0));
  ++n_;
}

// The last entry of a name counts.
void FilterColumns::project() {
  const std::uint32_t n_columns = program_->n_columns();
  if (n_columns == 0) return;
  for (std::uint32_t c = 0; c < n_columns; ++c) std::memset(values_[c], 0, n_ * sizeof values_[c][0]);
  for (std::uint32_t i = 0; i < n_; ++i) {
    for_each_property(view(props_[i]), [&](std::string_view key, std::string_view value) {
      const std::uint32_t c = program_->column_of(key);
      if (c < n_columns) values_[c][i] = str(value);
    });
  }
}

Evaluated FilterColumns::eval(std::uint32_t shard) {
  project();
  gantry_filter_batch batch{};
  batch.size = sizeof batch;
  batch.n = n_;
  batch.n_columns = program_->n_columns();
  batch.cols = columns_;
  if ((program_->flags() & GANTRY_PROGRAM_NEEDS_PROPS) != 0) batch.props = props_;
  if ((program_->flags() & GANTRY_PROGRAM_NEEDS_BODY) != 0) batch.body = bodies_;
  const Evaluated out = n_ != 0 ? program_->eval(shard, batch) : Evaluated{};
  n_ = 0;
  work_ = 0;
  return out;
}

}  // namespace gantry::broker
