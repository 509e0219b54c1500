// From produce requests to stored records and back.
#pragma once

#include "kernel/broker/core.hpp"
#include "kernel/broker/produce/diverter.hpp"
#include "kernel/broker/record/record_append.hpp"

#include <deque>
#include <string>
#include <vector>

namespace gantry::broker {

class Broker;
class Fetcher;

class Producer {
 public:
  Producer(Core &core, Broker &broker, Fetcher &fetcher) : core_(core), broker_(broker), fetcher_(fetcher), diverter_(core) {}

  // [thread: control, before the shards serve] One completion queue per shard.
  void start(std::uint32_t shard_count);
  void stop();

  // gantry_broker_v1.produce.
  [[nodiscard]] std::int32_t produce(const gantry_produce *reqs, std::uint32_t n, gantry_cq cq);

 private:
  static constexpr std::uint32_t kBatch = 64;

  struct Pending {  // an append under way
    std::uint64_t user_data;
    gantry_cq cq;
    Queue *queue;
    std::uint32_t queue_no;
    std::uint32_t next_free;
  };
  struct Shard {  // touched by its own shard thread only
    Producer *owner = nullptr;
    std::uint32_t index = 0;
    gantry_cq store_cq = 0;
    std::vector<Pending> pending;
    std::uint32_t free_head = kNoSlot;
    std::vector<std::uint8_t> scratch;  // record headers and tails of one batch
    std::vector<gantry_cqe> out;        // completions of one delivery
    std::vector<std::uint64_t> keys;    // key hashes of one batch, record by record
    std::deque<std::string> rewritten;  // properties of one batch that are not stored as they came
  };
  struct Admitted {  // verdict on one request
    Topic *topic = nullptr;
    Queue *queue = nullptr;
    gantry_queue store_queue = GANTRY_NO_QUEUE;
    std::uint32_t queue_no = 0;
    std::int32_t status = GANTRY_OK;
    std::uint32_t subject = GANTRY_SUBJECT_NONE;
  };
  struct Built {  // spans and links of one record, alive during the append call
    RecordSpans parts;
    gantry_link link;
  };
  static constexpr std::uint32_t kNoSlot = 0xFFFFFFFFu;

  std::uint32_t produce_some(Shard &shard, const gantry_produce *reqs, std::uint32_t n, gantry_cq cq);
  void admit(const gantry_produce *reqs, std::uint32_t n, Admitted *out);
  void admit_one(const gantry_produce &req, Admitted &out);
  void build(Shard &shard, const gantry_produce &req, Admitted &admitted, std::int64_t now_ms, Built &built, gantry_append &append, std::uint8_t *&scratch);
  [[nodiscard]] std::int32_t place_by_priority(std::int32_t priority, Admitted &admitted);
  [[nodiscard]] bool is_dead_letter(const gantry_produce &req, const Topic &topic);
  [[nodiscard]] std::int32_t bury(Admitted &admitted, Place &place);
  std::uint32_t take_slot(Shard &shard);
  void free_slot(Shard &shard, std::uint64_t slot);
  static void on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  Core &core_;
  Broker &broker_;
  Fetcher &fetcher_;
  Diverter diverter_;
  std::vector<Shard> shards_;
};

}  // namespace gantry::broker
