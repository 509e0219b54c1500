// Records stored anew: a message that was read from the store goes back to it changed, under one or two queues. Behind redelivery,
// delayed delivery and dead letters. Its body is not written again where the store can refer to the record that it was read from.
#pragma once

#include "kernel/broker/core.hpp"

#include <atomic>
#include <vector>

namespace gantry::broker {

class Fetcher;

// Called on the shard that stored. result = log position, aux = queue offset of the first link when status is OK (or TIMEOUT: stored, not confirmed).
using RelayDone = void (*)(void *arg, std::uint64_t user_data, const gantry_cqe &cqe);

struct RelayItem {
  const StoredMessage *message = nullptr;  // body, flag, born time and host; borrowed during the call. body_at 0: it is not that of a stored record
  std::string_view props;                  // the new property string, without CLUSTER; borrowed during the call
  Topic *topic = nullptr;
  std::uint32_t queue_no = 0;
  std::int64_t tag = 0;                    // of the topic's index entry
  gantry_link second{GANTRY_NO_QUEUE, 0};  // a second queue that gets the same record; GANTRY_NO_QUEUE: none
  std::uint32_t sys_flags = 0, reconsume_times = 0;
  std::int64_t store_ms = 0;
  std::uint32_t durability = GANTRY_DURABILITY_DEFAULT;
  RelayDone done = nullptr;
  void *arg = nullptr;
  std::uint64_t user_data = 0;
};

class Relay {
 public:
  Relay(Core &core, Fetcher &fetcher) : core_(core), fetcher_(fetcher) {}

  // [thread: control, before the shards serve]
  void start(std::uint32_t shard_count);
  void stop();

  // OK: `done` will be called. AGAIN: the store takes no more now, offer it again. LIMIT: topic and properties do not fit into a record. What the store
  // refuses: NOT_WRITABLE, NO_SPACE. [thread: shard]
  [[nodiscard]] std::int32_t store(const RelayItem &item);

 private:
  struct Pending {
    RelayDone done;
    void *arg;
    std::uint64_t user_data;
    Queue *queue;
    std::uint32_t next_free;
  };
  struct Shard {  // touched by its own thread only
    Relay *owner = nullptr;
    gantry_cq store_cq = 0;
    std::vector<Pending> pending;
    std::uint32_t free_head = kNoSlot;
    std::vector<std::uint8_t> scratch;
    std::vector<std::uint64_t> keys;
  };
  static constexpr std::uint32_t kNoSlot = 0xFFFFFFFFu;
  // Of a body; below it the second place that each reader must go to costs more than the bytes (docs/design/0005-bodies-once.md).
  static constexpr std::size_t kMinReferredBytes = 512;

  [[nodiscard]] std::int32_t append_referring(Shard &shard, std::uint32_t index, const StoredMessage &message, const gantry_append &whole);
  static void on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  Core &core_;
  Fetcher &fetcher_;
  std::vector<Shard> shards_;
  std::atomic<bool> refers_{true};  // until the store says that it cannot
};

}  // namespace gantry::broker
