// Queues that the broker assigns to the members of a group, and whether a group's members pull or pop a topic. Behind gantry_assignment_v1.
#pragma once

#include "kernel/broker/broker.hpp"

#include <gantry/draft/allocator.h>
#include <gantry/draft/pop.h>

#include <map>

namespace gantry::semantics {

// A component of an allocator plugin.
struct Allocator {
  std::string name;  // in lower case; requests name it in capitals
  const gantry_allocator_v1 *table = nullptr;
  void *self = nullptr;
  CallMeter *meter = nullptr;  // of assign; may be null
};

// RocketMQ's AVG: runs of neighbouring queues. owner[i] is the index of the consumer of queue i. What is used when an allocator fails.
void assign_average(std::uint32_t n_consumers, std::uint32_t n_queues, std::uint32_t *owner);

class Assignment {
 public:
  // The broker outlives it.
  Assignment(broker::Broker &broker, std::vector<Allocator> allocators) : broker_(broker), core_(broker.core()), allocators_(std::move(allocators)) {}

  // After Broker::open: takes the rows that recovery found. [thread: control, before the shards run]
  void start();
  void stop() { core_.assignment = nullptr; }

  // As gantry_assignment_v1. [thread: shard]
  [[nodiscard]] gantry_request_mode request_mode(std::string_view topic, std::string_view group);
  [[nodiscard]] std::int32_t set_request_mode(std::string_view topic, std::string_view group, const gantry_request_mode &mode);
  [[nodiscard]] std::int32_t assign(const gantry_assign &req, gantry_request_mode *mode, gantry_assigned_fn fn, void *arg, gantry_error *err);

 private:
  // A queue of the topic, on whichever broker.
  struct Target {
    std::string_view broker;
    std::uint32_t queue_no = 0;
  };
  // Who had it before.
  struct Held {
    std::string broker;
    std::uint32_t queue_no = 0;
    std::string client_id;
  };
  [[nodiscard]] std::vector<Target> targets_of(const gantry_assign &req, std::uint32_t own_queues) const;
  [[nodiscard]] std::int32_t divide(const gantry_assign &req, const std::vector<std::string> &members, const std::vector<Target> &targets, std::vector<std::uint32_t> *owner,
                                    gantry_error *err);

  broker::Broker &broker_;
  broker::Core &core_;
  const std::vector<Allocator> allocators_;
  std::mutex mutex_;  // leaf; guards what follows
  std::map<std::string, gantry_request_mode, std::less<>> modes_;          // by row key without prefix
  std::map<std::string, std::vector<Held>, std::less<>> previous_;         // the same key: as assigned last, sorted by broker and number
};

// Both tables of sdk/gantry/draft/pop.h.
void add_pop_services(ServiceTables &tables);

}  // namespace gantry::semantics
