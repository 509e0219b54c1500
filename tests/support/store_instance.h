// A store plugin's instance under a fake host: life cycle, what recovery reported, requests as C++ values, completions gathered.
#pragma once

#include "support/fake_config.h"
#include "support/fake_host.h"

#include <gantry/draft/store.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::test {

// Gathers completions of one shard's queue. ready() runs on the shard; reading is safe on any thread.
class CompletionLog {
 public:
  CompletionLog(FakeHost &host, std::uint32_t shard = 0);
  ~CompletionLog();
  CompletionLog(const CompletionLog &) = delete;
  CompletionLog &operator=(const CompletionLog &) = delete;

  [[nodiscard]] gantry_cq id() const { return id_; }
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] std::vector<gantry_cqe> all() const;  // in order of delivery
  // The completion of that request once it came (waits up to a minute); nullopt: none came.
  [[nodiscard]] std::optional<gantry_cqe> wait_for(std::uint64_t user_data);
  // Waits until at least n completions came in all.
  [[nodiscard]] bool wait_count(std::size_t n);
  // Completions of one request so far; more than 1 is a fault of the plugin.
  [[nodiscard]] std::size_t times(std::uint64_t user_data) const;
  void close();  // later pushes get E_CLOSED

 private:
  static void ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept;

  FakeHost &host_;
  const std::uint32_t shard_;
  gantry_cq id_ = 0;
  mutable std::mutex mutex_;
  std::vector<gantry_cqe> got_;
};

// Releases a read result once.
class ReadResult {
 public:
  ReadResult() = default;
  explicit ReadResult(const gantry_read_result *result) : result_(result) {}
  ~ReadResult() { reset(); }
  ReadResult(ReadResult &&other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
  ReadResult &operator=(ReadResult &&other) noexcept;
  void reset();

  explicit operator bool() const { return result_ != nullptr; }
  const gantry_read_result *operator->() const { return result_; }
  [[nodiscard]] std::span<const gantry_record> records() const;
  [[nodiscard]] std::string bytes(std::size_t i) const;

 private:
  const gantry_read_result *result_ = nullptr;
};

struct RecoveredQueue {
  gantry_queue queue = GANTRY_NO_QUEUE;
  gantry_queue_stat stat{};
};

class StoreInstance {
 public:
  // Creates the component; config texts as in FakeConfig. The host must outlive this.
  StoreInstance(FakeHost &host, const gantry_component &component, const ConfigTexts &texts = {});
  // Stops and destroys what was started and created.
  ~StoreInstance();
  StoreInstance(const StoreInstance &) = delete;
  StoreInstance &operator=(const StoreInstance &) = delete;

  // open, then start; GANTRY_OK or the failing one's code, text in error(). The folder must exist.
  [[nodiscard]] std::int32_t open(const std::string &data_dir, std::uint32_t default_durability = GANTRY_DURABILITY_WRITTEN,
                                  std::uint32_t home_shard = 0);
  void stop();     // when started
  void destroy();  // stops first
  [[nodiscard]] const gantry_error &error() const { return error_; }
  // Who knows how far queues are consumed, for the next open; nobody unless told.
  void set_consumption(const gantry_consumption *consumption) { consumption_ = consumption; }

  // The table and its first argument, for calls that this class does not wrap.
  [[nodiscard]] const gantry_store_v1 &table() const { return *table_; }
  [[nodiscard]] void *self() const { return self_; }
  [[nodiscard]] FakeHost &host() const { return host_; }

  // What the sink was told during open.
  [[nodiscard]] const std::map<std::string, std::string> &recovered_meta() const { return meta_; }
  [[nodiscard]] const std::map<std::pair<std::string, std::uint32_t>, RecoveredQueue> &recovered_queues() const { return queues_; }
  // Rule breaches of the sink: a queue before a meta row, keys twice. Empty = none.
  [[nodiscard]] const std::string &sink_faults() const { return sink_faults_; }

  // Calls on shard 0 unless told; aborts on a failure so that a test reads straight on.
  [[nodiscard]] gantry_queue queue(const std::string &topic, std::uint32_t queue_no = 0, std::uint32_t kind = GANTRY_QUEUE_NORMAL);
  [[nodiscard]] gantry_queue_stat stat(gantry_queue queue) const;
  [[nodiscard]] gantry_store_stats stats() const;
  // One read, inline or by completion. status (when given) gets the completion's status, GANTRY_OK for an inline answer.
  [[nodiscard]] ReadResult read(const gantry_read &request, std::int32_t *status = nullptr, std::uint32_t shard = 0);
  [[nodiscard]] ReadResult read(gantry_queue queue, std::int64_t offset, std::uint32_t max_records = 32, std::int32_t *status = nullptr);
  // A look-up by key with everything but these left open: at most max_records, before a position, store times from..to.
  [[nodiscard]] ReadResult query_key(std::uint64_t hash, std::uint32_t max_records = 1024, std::int64_t before_pos = INT64_MAX,
                                     std::int64_t begin_ms = INT64_MIN, std::int64_t end_ms = INT64_MAX);
  [[nodiscard]] ReadResult read_at(std::int64_t phys_pos, std::int32_t *status = nullptr, std::uint32_t shard = 0);

 private:
  static void on_meta(void *self, gantry_str key, gantry_str value) noexcept;
  static void on_queue(void *self, gantry_queue queue, gantry_str topic, std::uint32_t queue_no, const gantry_queue_stat *stat) noexcept;

  FakeHost &host_;
  const gantry_component &component_;
  const gantry_store_v1 *table_;
  FakeConfig config_;
  void *self_ = nullptr;
  bool started_ = false;
  const gantry_consumption *consumption_ = nullptr;
  gantry_error error_{};
  std::map<std::string, std::string> meta_;
  std::map<std::pair<std::string, std::uint32_t>, RecoveredQueue> queues_;
  std::string sink_faults_;
};

[[nodiscard]] inline gantry_str str_of(std::string_view text) { return {text.data(), static_cast<std::uint32_t>(text.size()), 0}; }
[[nodiscard]] inline std::string text_of(const gantry_str &text) { return {text.p, text.n}; }

}  // namespace gantry::test
