// The promises of gantry.store.draft/1, tested through the C table alone, on whichever plugin the command line names.
#pragma once

#include "support/fake_host.h"
#include "support/store_instance.h"
#include "support/store_records.h"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gantry::test {

struct Suite {
  std::string plugin;                                   // path of the .so
  ConfigTexts config;                                   // its keys
  ConfigTexts retention;                                // further keys that make it drop old records after a few MiB
  std::uint32_t strongest = GANTRY_DURABILITY_DURABLE;  // highest level that it offers
  bool bases = false;                                   // takes appends whose body is that of an earlier record
  std::size_t max_record = (4u << 20) + (64u << 10);    // bytes that it must take with this config: a full message and its properties
};
Suite &suite();

// Sets `suite` from --plugin=, --strongest=memory|written|durable and --max-record=, --bases, --set=key=value and --retention=key=value; false with a message on stderr when wrong.
[[nodiscard]] bool parse_arguments(int argc, char **argv);

class StoreContract : public ::testing::Test {
 protected:
  // Durability that appends of DEFAULT get in these tests.
  static std::uint32_t default_level();
  static bool keeps_over_restart() { return suite().strongest >= GANTRY_DURABILITY_WRITTEN; }

  // A host (one shard, manual, unless told) and an opened store in dir(). Throws when it does not open.
  void SetUp() override;
  void TearDown() override;
  void start(std::uint32_t shards = 1, LoopMode mode = LoopMode::kManual);
  // The same with suite().retention, in a folder of its own.
  void start_with_retention();
  // Stops and destroys the store and opens another one in the same folder, under a new host.
  void reopen();

  [[nodiscard]] StoreInstance &store() { return *store_; }
  [[nodiscard]] FakeHost &host() { return *host_; }
  [[nodiscard]] std::string dir() const { return retention_ ? retention_dir_.str() : dir_.str(); }
  void close();

  // Appends to the queue until `done` says true. Dropping old records is background work that takes time, not appends: after enough for any store here it goes on
  // record by record. False: not within a minute.
  [[nodiscard]] bool append_until(gantry_queue queue, const std::function<bool()> &done);

  // Inline code of one append on shard 0 without waiting for the completion.
  std::int32_t try_append(Message &one, gantry_cq cq, std::uint64_t user_data = 0);
  std::int32_t try_request(const gantry_append &request, gantry_cq cq);
  // A read that asks for everything; change what the test is about.
  static gantry_read read_of(gantry_queue queue, std::int64_t offset);

 private:
  TempDir dir_, retention_dir_;
  bool retention_ = false;
  std::unique_ptr<FakeHost> host_;
  std::vector<std::unique_ptr<FakeHost>> former_hosts_;  // a test's CompletionLogs may still refer to them
  std::unique_ptr<StoreInstance> store_;
};

[[nodiscard]] std::unique_ptr<StoreInstance> make_store(FakeHost &host, const ConfigTexts &config = suite().config);

}  // namespace gantry::test
