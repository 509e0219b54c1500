// How far queues have been consumed, for a store that drops old records: what nobody has consumed yet is not to go unnoticed.
#pragma once

#include "kernel/broker/core.hpp"

#include <gantry/draft/store.h>

namespace gantry::broker {

class Consumption {
 public:
  explicit Consumption(Core &core) : core_(core), table_{this, &Consumption::on_asked} {}
  Consumption(const Consumption &) = delete;
  Consumption &operator=(const Consumption &) = delete;

  // For gantry_store_open; lives as long as this.
  [[nodiscard]] const gantry_consumption *table() const { return &table_; }

 private:
  static void on_asked(void *self, const gantry_queue_name *queues, std::uint32_t n, gantry_consumed *out) noexcept;
  // Under the mutex.
  [[nodiscard]] gantry_consumed consumed(const gantry_queue_name &queue);

  Core &core_;
  const gantry_consumption table_;
};

}  // namespace gantry::broker
