#include "kernel/broker/filter/columns.hpp"

#include "kernel/broker/record/record.hpp"

#include <gantry++/str.hpp>

#include <cstring>

namespace gantry::broker {

namespace {

constexpr std::uint64_t kStepWork = 64;  // of a step that looks at nothing

}  // namespace

void FilterColumns::begin(const FilterProgram &program) {
  program_ = &program;
  clear();
}

void FilterColumns::clear() {
  n_ = 0;
  work_ = 0;
  for (std::uint32_t c = 0; c < program_->n_columns(); ++c) {
    columns_[c] = values_[c];
    std::memset(values_[c], 0, sizeof values_[c]);
  }
}

void FilterColumns::add(std::string_view record) {
  GANTRY_ASSERT(n_ < GANTRY_FILTER_BATCH_MAX);
  StoredMessage message;
  if (!parse_record(record, &message)) message = StoredMessage{};
  props_[n_] = str(message.props);
  bodies_[n_] = str(message.body);
  project(message.props);
  const bool body = (program_->flags() & GANTRY_PROGRAM_NEEDS_BODY) != 0;
  work_ += program_->cost() * (kStepWork + message.props.size() + (body ? message.body.size() : 0));
  ++n_;
}

// As RocketMQ's decoder: the first separator ends the key, entries without a key or a value do not count, the last one of a name does.
void FilterColumns::project(std::string_view props) {
  if (program_->n_columns() == 0) return;
  const char *p = props.data();
  const char *const end = p + props.size();
  while (p < end) {
    const auto *separator = static_cast<const char *>(std::memchr(p, 0x01, static_cast<std::size_t>(end - p)));
    if (separator == nullptr) return;
    const auto *stop = static_cast<const char *>(std::memchr(p, 0x02, static_cast<std::size_t>(end - p)));
    if (stop == nullptr) stop = end;
    if (separator > p && separator + 1 < stop) {
      const std::uint32_t c = program_->column_of({p, static_cast<std::size_t>(separator - p)});
      if (c < program_->n_columns()) values_[c][n_] = str({separator + 1, static_cast<std::size_t>(stop - separator - 1)});
    }
    p = stop + 1;
  }
}

std::uint64_t FilterColumns::eval(std::uint32_t shard) {
  gantry_filter_batch batch{};
  batch.size = sizeof batch;
  batch.n = n_;
  batch.n_columns = program_->n_columns();
  batch.cols = columns_;
  if ((program_->flags() & GANTRY_PROGRAM_NEEDS_PROPS) != 0) batch.props = props_;
  if ((program_->flags() & GANTRY_PROGRAM_NEEDS_BODY) != 0) batch.body = bodies_;
  const std::uint64_t match = n_ != 0 ? program_->eval(shard, batch) : 0;
  clear();
  return match;
}

}  // namespace gantry::broker
