// Threads that read what is no longer in memory: records from log files, entries from run files, records by key.
#pragma once

#include "core.hpp"
#include "extent_cache.hpp"
#include "hot_read.hpp"
#include "key_query.hpp"
#include "seek.hpp"

#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

namespace gantry::commitlog {

struct ColdSeek {
  gantry_cq cq = 0;
  std::uint64_t user_data = 0;
  RunPart part;          // the answer is in it, or its end
  std::uint32_t queue = 0;
  std::int64_t ms = 0;
  QueueOff end;          // offset after the part
};

class Readers {
 public:
  explicit Readers(Core &core);
  ~Readers();
  Readers(const Readers &) = delete;
  Readers &operator=(const Readers &) = delete;

  void start();
  // Ends the threads; what is still waiting is answered with CANCELLED.
  void stop();
  // [thread: any]
  void submit(ColdRead read);
  void submit(ColdSeek seek);
  void submit(const KeyQuery &query);

 private:
  struct Task {
    std::unique_ptr<ColdRead> read;
    std::unique_ptr<ColdSeek> seek;
    std::unique_ptr<KeyQuery> keys;
  };
  void run();
  void push(Task task);
  void answer(const ColdRead &read, std::int32_t status, ReadResult *result) const;
  void perform(ColdRead &read);
  void perform(const ColdSeek &seek);
  void perform(const KeyQuery &query);
  [[nodiscard]] ReadResult *fetch_found(const KeySearch &search);
  [[nodiscard]] bool resolve(ColdRead &read);
  [[nodiscard]] bool resolve_position(ColdRead &read, std::int32_t *status);
  [[nodiscard]] bool resolve_part(ColdRead &read, const RunPart &part, std::uint32_t *scanned, std::uint64_t *bytes);
  [[nodiscard]] std::shared_ptr<RunFile> usable(const RunPart &part);
  [[nodiscard]] bool fetch(const ColdRecord &record, LogPos stable, std::uint8_t *to);
  [[nodiscard]] bool copy_out(const ColdRecord &record, LogPos stable, bool cached, std::uint8_t *to);

  Core &core_;
  ExtentCache cache_;
  std::mutex rebuild_mutex_;
  std::mutex mutex_;  // leaf: everything below
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gantry::commitlog
