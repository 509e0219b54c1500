// A store at work over a twin disk that records: requests of every kind, acknowledgements noted in the trace where they came.
#pragma once

#include "ledger.h"

#include <memory>
#include <random>
#include <string>

namespace gantry::test {

struct LifeOptions {
  std::uint64_t seed = 1;
  bool written = false;         // some requests ask for less than a flush
  std::size_t steps = 60;       // requests per life
  ConfigTexts config;
  bool may_fail = false;        // faults are injected: refusals and failures are answers like others
};

class RecordedLife {
 public:
  RecordedLife(std::string folder, std::shared_ptr<TwinDisk> disk, LifeOptions options, Ledger &ledger);
  ~RecordedLife();

  [[nodiscard]] std::int32_t open();
  void work();
  // One record, one row; answers when both are acknowledged. False: one is refused or fails.
  bool append_a_little();
  bool append_to_a_new_queue();
  void close();  // an orderly stop
  void kill();   // of the process; the machine goes on
  [[nodiscard]] StoreInstance &store() { return *store_; }
  [[nodiscard]] FakeHost &host() { return *host_; }
  // Requests that were answered with anything but OK.
  [[nodiscard]] std::size_t failed() const { return failed_; }
  // A request that was answered OK after another one had failed, or a flush had.
  [[nodiscard]] const std::string &fault() const { return fault_; }

 private:
  struct Waiting {
    std::int64_t seq = 0;
    bool is_sync = false;
  };
  void step();
  void note_what_is_gone();
  bool send(const QueueName &queue, std::size_t body_bytes, std::uint32_t durability, std::int64_t later_ms);
  bool refer(const QueueName &queue, std::uint32_t durability);
  bool put_row(std::uint32_t durability);
  void sync();
  void settle(bool all);  // completions into the trace; all: waits for the rest of them
  [[nodiscard]] bool taken(std::int32_t rc);
  [[nodiscard]] std::uint32_t some_durability();

  const std::string folder_;
  const std::shared_ptr<TwinDisk> disk_;
  const LifeOptions options_;
  Ledger &ledger_;
  std::mt19937_64 random_;
  std::unique_ptr<FakeHost> host_;
  std::unique_ptr<StoreInstance> store_;
  std::unique_ptr<CompletionLog> done_;
  std::size_t seen_ = 0;
  std::vector<Waiting> waiting_;  // by user_data
  std::size_t answered_ = 0, failed_ = 0;
  std::string fault_;
  std::int64_t now_ms_ = kTestWallMs;
  std::size_t jumps_ = 0;
  std::vector<std::size_t> bases_;  // of ledger.asked, acknowledged in this life
};

}  // namespace gantry::test
