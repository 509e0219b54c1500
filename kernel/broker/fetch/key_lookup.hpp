// Messages by key: the store finds records by hash, this picks those that really have the key.
#pragma once

#include "kernel/broker/core.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace gantry::broker {

class KeyLookup {
 public:
  explicit KeyLookup(Core &core) : core_(core) {}

  // [thread: control, before the shards serve] One completion queue per shard.
  void start(std::uint32_t shard_count);
  void stop();

  // gantry_broker_v1.message_query.
  [[nodiscard]] std::int32_t query(const gantry_message_query &query, gantry_cq cq);

 private:
  struct Found;
  struct FoundRelease {
    void operator()(Found *found) const;
  };
  struct Search {  // under way
    std::uint64_t user_data;
    gantry_cq cq;
    std::string topic, key;
    gantry_key_query page;
    std::uint32_t wanted;
    std::unique_ptr<Found, FoundRelease> found;
  };
  struct Shard {  // touched by its own shard thread only
    KeyLookup *owner = nullptr;
    std::uint32_t index = 0;
    gantry_cq store_cq = 0;
    std::unordered_map<std::uint64_t, Search> searches;
    std::uint64_t next = 0;
  };

  void on_page(Shard &shard, const gantry_cqe &cqe);
  void finish(Search &search, std::int32_t status);
  static void on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  Core &core_;
  std::vector<Shard> shards_;
};

}  // namespace gantry::broker
