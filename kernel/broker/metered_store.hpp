// A store whose appends and reads are counted and timed; everything else goes straight to it.
#pragma once

#include "kernel/base/call_meter.hpp"
#include "kernel/broker/core.hpp"

#include <string>

namespace gantry::broker {

class MeteredStore {
 public:
  // Both outlive it. [thread: control, before the shards run]
  MeteredStore(StorePort inner, const std::string &plugin, PluginMeters &meters, std::uint32_t shards);
  MeteredStore(const MeteredStore &) = delete;
  MeteredStore &operator=(const MeteredStore &) = delete;

  [[nodiscard]] StorePort port();

 private:
  friend struct MeteredTable;
  const StorePort inner_;
  CallMeter &append_, &read_, &meta_write_;
};

}  // namespace gantry::broker
