// One batch of messages as a filter sees it: only the properties that the program asks for, column by column.
#pragma once

#include "kernel/broker/filter/filters.hpp"

namespace gantry::broker {

// Bound to one program and used again and again; one per thread. Views go into the records.
class FilterColumns {
 public:
  // Empty for this program.
  void begin(const FilterProgram &program);
  // Adds a stored record; there is room for GANTRY_FILTER_BATCH_MAX, and its bytes stay where they are until eval. Bytes that are no record count as a message without anything.
  void add(std::string_view record);
  [[nodiscard]] std::uint32_t size() const { return n_; }
  // Steps that evaluating what is there takes at most, about one for each byte that each step of the program may look at.
  [[nodiscard]] std::uint64_t work() const { return work_; }
  // Of the messages in the order of adding; then it is empty again.
  [[nodiscard]] Evaluated eval(std::uint32_t shard);

 private:
  void project();

  const FilterProgram *program_ = nullptr;
  std::uint32_t n_ = 0;
  std::uint64_t work_ = 0;
  gantry_str values_[GANTRY_FILTER_COLUMNS_MAX][GANTRY_FILTER_BATCH_MAX] = {};
  const gantry_str *columns_[GANTRY_FILTER_COLUMNS_MAX] = {};
  gantry_str props_[GANTRY_FILTER_BATCH_MAX] = {};
  gantry_str bodies_[GANTRY_FILTER_BATCH_MAX] = {};
};

}  // namespace gantry::broker
