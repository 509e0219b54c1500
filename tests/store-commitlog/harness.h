// The store's inside under test: the real Store over a twin disk, behind the same helpers as the contract tests.
#pragma once

#include "twin.h"

#include "format.hpp"
#include "support/fake_host.h"
#include "support/store_instance.h"
#include "support/store_records.h"
#include "support/test_util.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace gantry::test {

// The component as in entry.cpp, made over this disk. One store at a time.
[[nodiscard]] const gantry_component &component_over(std::shared_ptr<TwinDisk> disk);

class CommitlogTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Opens a store over `disk` in dir(); aborts the test when that fails, unless told what to expect.
  void open(std::int32_t expected = GANTRY_OK);
  void close();
  // As after kill -9: what the store has not handed to the disk is gone, the rest is there.
  void crash();
  void reopen() {
    close();
    open();
  }

  [[nodiscard]] StoreInstance &store() { return *store_; }
  [[nodiscard]] FakeHost &host() { return *host_; }
  [[nodiscard]] std::string dir() const { return dir_.str(); }
  [[nodiscard]] gantry_queue queue(const std::string &topic = "A", std::uint32_t no = 0) { return store_->queue(topic, no); }
  [[nodiscard]] gantry_queue recovered(const std::string &topic = "A", std::uint32_t no = 0) const;
  // n messages of that size to the queue, acknowledged; kept in `sent`.
  void send(gantry_queue queue, std::size_t n, std::size_t body_bytes = 500, std::size_t per_call = 16);
  // Every message of `sent` that is in that queue is read back byte for byte.
  void expect_all(gantry_queue queue);

  // What a read answers at once; empty when it was handed to a reader thread, which has answered by then.
  ReadResult inline_read(gantry_queue queue, std::int64_t offset, std::uint32_t max_records = 32, const std::vector<std::int64_t> &tags = {});
  // `got` holds records of `sent`, all of one queue, from offset `from` on.
  void expect_records(const ReadResult &got, std::int64_t from);

  // Log files, oldest first; run files.
  [[nodiscard]] std::vector<std::filesystem::path> segments() const;
  [[nodiscard]] std::vector<std::filesystem::path> runs() const;
  // Waits until the store's background has done it.
  void wait_for(const char *what, const std::function<bool()> &done);

  std::shared_ptr<TwinDisk> disk = std::make_shared<TwinDisk>();
  ConfigTexts config{{"segment_size", "1 MiB"}, {"hot_cache", "1 MiB"}, {"checkpoint_every", "1 GiB"}, {"retention", "0"}};
  std::uint32_t level = GANTRY_DURABILITY_DURABLE;
  std::int64_t wall_ms = 0;  // the clock stands there from the open on; 0: it runs
  const gantry_consumption *consumption = nullptr;
  std::vector<Message> sent;

 private:
  TempDir dir_;
  std::unique_ptr<FakeHost> host_;
  std::unique_ptr<StoreInstance> store_;
};

// Bytes of a file, and changing them.
[[nodiscard]] std::string slurp(const std::filesystem::path &path);
void overwrite(const std::filesystem::path &path, std::int64_t offset, std::string_view bytes);
void flip(const std::filesystem::path &path, std::int64_t offset);

// Frames of a segment as its bytes say, in order; fillers are passed over.
struct FrameAt {
  std::int64_t offset;
  commitlog::FrameHeader header;
};
[[nodiscard]] std::vector<FrameAt> frames_of(const std::string &segment, std::int64_t base = 0);

}  // namespace gantry::test
