// Messages that a consumer gives back: stored again for the group's %RETRY% topic after a delay, or in its %DLQ% topic when that was too often.
#pragma once

#include "kernel/broker/produce/relay.hpp"

#include <deque>
#include <vector>

namespace gantry::broker {

class Broker;

class Redelivery {
 public:
  Redelivery(Core &core, Broker &broker, Relay &relay) : core_(core), broker_(broker), relay_(relay) {}

  // [thread: control, before the shards serve]
  void start(std::uint32_t shard_count);
  void stop();

  // gantry_broker_v1.send_back. [thread: shard]
  [[nodiscard]] std::int32_t send_back(const gantry_send_back &req, gantry_cq cq);

 private:
  struct Shard;
  struct Job {  // one message given back, until it is stored again
    Shard *shard = nullptr;
    std::uint64_t user_data = 0;
    gantry_cq cq = 0;
    std::string group;
    std::int64_t phys_pos = 0;
    std::int32_t delay_level = 0, max_reconsume_times = 0;
    const gantry_read_result *record = nullptr;
    Job *next_free = nullptr;
  };
  struct Shard {  // touched by its own thread only
    Redelivery *owner = nullptr;
    std::uint32_t index = 0;
    gantry_cq store_cq = 0;
    std::deque<Job> jobs;
    Job *free = nullptr;
  };

  [[nodiscard]] static Job &take(Shard &shard);
  void begin(Job &job);
  void run(Job &job);
  [[nodiscard]] std::int32_t store_again(Job &job, const StoredMessage &message);
  [[nodiscard]] Topic *topic_of(const std::string &name, std::int32_t *status);
  void finish(Job &job, std::int32_t status, std::uint32_t subject);
  static void let_go(Job &job);
  static void on_store(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;
  static void on_stored(void *arg, std::uint64_t, const gantry_cqe &cqe);

  Core &core_;
  Broker &broker_;
  Relay &relay_;
  std::vector<Shard> shards_;
};

}  // namespace gantry::broker
