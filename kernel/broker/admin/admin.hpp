// Groups and their settings, deleting of topics and groups, and what tools read. Behind gantry_admin_v1.
#pragma once

#include "kernel/broker/core.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gantry::broker {

class Fetcher;

class Admin {
 public:
  Admin(Core &core, Fetcher &fetcher);

  // [thread: control, before the shards serve]
  void start(std::uint32_t shard_count);
  void stop();
  // Every second, on shard 0.
  void sample();
  // A note that a topic was being deleted, found while opening; restore() takes the topic away, start() drops its queues. [thread: control]
  void add_half_deleted(std::string topic) { half_deleted_.push_back(std::move(topic)); }
  void restore();
  // Rows of offsets that belong to nothing, found while opening; they go when the store is started.
  void add_orphan(std::string group, std::string topic, std::uint32_t queue_no) { orphans_.push_back({std::move(group), std::move(topic), queue_no}); }

  // As gantry_admin_v1. [thread: shard]
  [[nodiscard]] std::int32_t settle(std::uint64_t user_data, gantry_cq cq);
  [[nodiscard]] std::int32_t topic_delete(std::string_view name, std::uint64_t user_data, gantry_cq cq, gantry_error *err);
  [[nodiscard]] std::int32_t group_settings(std::string_view name, gantry_group_settings *out);
  [[nodiscard]] std::int32_t group_upsert(const gantry_group_settings &settings, std::uint64_t user_data, gantry_cq cq, gantry_error *err);
  [[nodiscard]] std::int32_t group_delete(std::string_view name, bool drop_offsets, std::uint64_t user_data, gantry_cq cq, gantry_error *err);
  void group_list(gantry_group_fn fn, void *arg);
  [[nodiscard]] gantry_topics_version groups_version();
  [[nodiscard]] std::int32_t queue_read(const gantry_queue_read &req, gantry_cq cq);
  [[nodiscard]] std::int32_t stat(std::uint32_t kind, std::string_view topic, std::string_view group, gantry_stat *out);
  void runtime(gantry_broker_runtime *out);
  void settings(gantry_broker_settings *out) const;
  [[nodiscard]] std::uint32_t refusal(char *out, std::uint32_t bytes) const { return core_.store.table->refusal(core_.store.self, out, bytes); }

 private:
  struct Offset {
    std::string group, topic;
    std::uint32_t queue_no;
  };
  struct Job {  // rows on their way to the store
    Admin *owner = nullptr;
    std::uint32_t shard = 0;
    std::vector<std::string> topics;  // whose note goes
    std::vector<std::string> groups;  // whose row goes, unless there is one of that name again
    std::vector<Offset> offsets;      // likewise
    std::uint64_t user_data = 0;
    gantry_cq cq = 0;
  };
  struct Row {
    std::string key;
    std::uint32_t op;  // GANTRY_META_*; a value is empty
  };
  struct Shard {
    gantry_cq store_cq = 0;
    Admin *owner = nullptr;
  };

  // Under the mutex.
  [[nodiscard]] std::int32_t bury(Topic &topic, Job &job);
  void drop_offsets(gantry_group group, gantry_topic topic, Job &job);
  [[nodiscard]] std::vector<Topic *> pop_retry_topics(gantry_group group, std::string_view topic);
  [[nodiscard]] std::int32_t write(Job &job);
  [[nodiscard]] std::int32_t write_rows(const std::vector<Row> &rows, std::uint64_t user_data, gantry_cq cq);
  void finish_deletions();  // needs no mutex: nothing is served yet

  // Not under the mutex.
  [[nodiscard]] Job *take(Job job);
  void give_back(const Job *job);
  void run(Job *job);
  void forget_topics(const std::vector<Topic *> &topics);
  static void on_written(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  Core &core_;
  Fetcher &fetcher_;
  std::vector<Shard> shards_;
  std::vector<Offset> orphans_;
  std::vector<std::string> half_deleted_;
  std::map<std::string, std::vector<gantry_queue>> left_over_;
  const std::string delay_levels_;
  std::int64_t boot_ms_ = 0, sampled_ms_ = 0;
  gantry_topics_version groups_version_{};  // guarded by Core::mutex
  std::vector<std::unique_ptr<Job>> jobs_;  // those under way; guarded by Core::mutex
};

}  // namespace gantry::broker
