// Records whose body is stored with another one: where the parts lie, what keeps the base, what happens when it is damaged or gone.
#include "harness.h"

#include "extent_cache.hpp"

#include <algorithm>
#include <fstream>
#include <map>

namespace gantry::test {
namespace {

using commitlog::Extent;
using commitlog::FrameHeader;

class References : public CommitlogTest {
 protected:
  struct Made {
    std::int64_t pos = 0, offset = 0;
    std::string bytes;  // of the whole record
    std::uint64_t key = 0;
  };

  // A record whose body is all of `body`, which stands in the record at base_pos from kRecordHeadBytes + skip on. nullopt: STALE or NOT_FOUND, in *code.
  std::optional<Made> try_refer(gantry_queue queue, std::int64_t base_pos, const std::string &body, std::int32_t *code, std::uint32_t skip = 0) {
    Message own = message(queue, "own of " + std::to_string(++made_));
    own.cuts = {kRecordHeadBytes};
    own.store_ms = host().wall_ms();
    own.key_hashes = {made_ + 1000000};
    AppendBatch batch(&own, 1, 7);
    gantry_append &request = *batch.data();
    request.base_pos = base_pos;
    request.base_skip = static_cast<std::uint32_t>(kRecordHeadBytes) + skip;
    request.base_bytes = static_cast<std::uint32_t>(body.size());
    request.bytes += request.base_bytes;
    CompletionLog done(host());
    host().on_shard(0, [&] { *code = store().table().append(store().self(), 0, &request, 1, done.id()); });
    if (*code != 1) return std::nullopt;
    const auto cqe = done.wait_for(7);
    EXPECT_TRUE(cqe && cqe->status == GANTRY_OK);
    if (!cqe) return std::nullopt;
    own.phys_pos = cqe->result;
    return Made{cqe->result, own.offsets[0], own.expected().insert(kRecordHeadBytes, body), own.key_hashes[0]};
  }
  Made refer(gantry_queue queue, std::int64_t base_pos, const std::string &body, std::uint32_t skip = 0) {
    std::int32_t code = 0;
    std::optional<Made> made;
    wait_for("the reference is taken", [&] { return (made = try_refer(queue, base_pos, body, &code, skip)) || code != GANTRY_E_STALE; });
    EXPECT_EQ(code, 1);
    return made.value_or(Made{});
  }
  std::string body_of_sent(std::size_t i) const { return body_of(sent[i].bytes); }
  Made refer_to_sent(gantry_queue queue, std::size_t i) { return refer(queue, sent[i].phys_pos, body_of_sent(i)); }

  // Some MiB more, so that what was written before is in no arena any more, and its segments are sealed.
  void let_it_cool(std::size_t mib = 6) {
    for (std::size_t i = 0; i < mib * 11; ++i) send(queue("filler"), 20, 5000, 20);
  }
  void expect_whole(gantry_queue queue, const std::vector<Made> &made) {
    const auto got = read_queue(store(), queue, 8);
    for (const Made &one : made) {
      ASSERT_TRUE(got.contains(one.offset)) << one.offset;
      ASSERT_EQ(got.at(one.offset), one.bytes) << "by offset " << one.offset;
      ASSERT_EQ(store().read_at(one.pos).bytes(0), one.bytes) << "by position " << one.pos;
    }
  }
  std::filesystem::path mark(const std::string &number = "00000000000000000002") const { return std::filesystem::path(dir()) / "commitlog" / number; }
  std::filesystem::path segment_of(std::int64_t pos) const {
    std::filesystem::path found;
    for (const auto &path : segments()) {
      if (std::stoll(path.filename().string()) > pos) continue;
      found = path;
    }
    return found;
  }
  std::int64_t within(std::int64_t pos) const { return pos - std::stoll(segment_of(pos).filename().string()); }
  void lose_the_frame_of_a_base(std::size_t mib_behind) {
    open();
    send(queue(), 1, 9000);
    const Made made = refer_to_sent(queue("B"), 0);
    send(queue(), 2, 100);
    send(queue(), 2, 100);
    let_it_cool(mib_behind);
    crash();
    for (const auto &run : runs()) std::filesystem::remove(run);  // they know of the base
    const auto frames = frames_of(slurp(segments().front()));
    const auto base = std::find_if(frames.begin(), frames.end(), [](const FrameAt &frame) { return frame.header.record_count == 1; });
    ASSERT_NE(base, frames.end());
    overwrite(segments().front(), base->offset, std::string(base->header.frame_bytes, '\0'));
    open();
    const ReadResult got = store().read(recovered("B"), made.offset, 1);
    EXPECT_EQ(got->n, 0u);
    EXPECT_EQ(got->stop, GANTRY_STOP_BAD);
    EXPECT_TRUE(host().logged("is stored with the record at log position " + std::to_string(sent[0].phys_pos)));
  }

  std::uint64_t made_ = 0;
};

TEST_F(References, TheFirstOneMarksTheLogForOlderBuilds) {
  open();
  send(queue(), 4, 2000);
  reopen();
  EXPECT_FALSE(std::filesystem::exists(mark())) << "without references it is a log as it ever was";
  const Made made = refer_to_sent(queue("B"), 1);
  EXPECT_TRUE(std::filesystem::is_directory(mark()));
  EXPECT_NE(slurp(mark() / "README").find("newer build"), std::string::npos);
  EXPECT_TRUE(host().logged("is of format 2 from now on"));
  reopen();
  expect_all(recovered("A"));
  expect_whole(recovered("B"), {made});
  std::int32_t code = 0;
  EXPECT_TRUE(try_refer(queue("B"), sent[2].phys_pos, body_of_sent(2), &code)) << "marked already: the first one is taken at once";
}

// The frame of the base is gone, so the index does not know of the base, and nothing there is counted as bad. The body must not be what lies in its place now.
TEST_F(References, ABaseThatIsLostWithItsFrameIsNotReplacedByWhatLiesThere) { lose_the_frame_of_a_base(0); }

// There all that the index knows of was compared with its checksums already.
TEST_F(References, NorIsOneInTheMiddleOfTheLog) { lose_the_frame_of_a_base(2); }

TEST_F(References, AFormatThatThisBuildDoesNotKnowIsRefusedByName) {
  open();
  send(queue(), 4, 2000);
  close();
  std::filesystem::create_directory(mark("00000000000000000003"));
  open(GANTRY_E_UNSUPPORTED);
  EXPECT_NE(std::string(store().error().text).find("is of format 3"), std::string::npos) << store().error().text;
  std::filesystem::remove(mark("00000000000000000003"));
  close();
  open();
  expect_all(recovered());
}

TEST_F(References, AMarkThatCannotBeMadeMeansWholeRecords) {
  disk->on_create = [](const std::string &path) { return path.find("README") != std::string::npos ? ENOSPC : 0; };
  open();
  send(queue(), 4, 2000);
  std::int32_t code = 0;
  EXPECT_FALSE(try_refer(queue("B"), sent[1].phys_pos, body_of_sent(1), &code));
  EXPECT_EQ(code, GANTRY_E_STALE);
  wait_for("it is said", [&] { return host().logged("bodies are stored again"); });
  EXPECT_FALSE(try_refer(queue("B"), sent[1].phys_pos, body_of_sent(1), &code));
  EXPECT_EQ(code, GANTRY_E_STALE);
}

TEST_F(References, PartsThatLieInFilesComeWholeAlsoAfterRestarts) {
  open();
  send(queue(), 40, 3000);
  std::vector<Made> made;
  for (std::size_t i = 0; i < 40; i += 3) made.push_back(refer_to_sent(queue("B"), i));
  expect_whole(queue("B"), made);
  let_it_cool();
  wait_for("runs", [&] { return runs().size() >= 5; });
  expect_whole(queue("B"), made);
  for (std::size_t k = 0; k < made.size(); k += 4) EXPECT_EQ(store().query_key(made[k].key).bytes(0), made[k].bytes);
  reopen();
  expect_whole(recovered("B"), made);
  crash();
  open();
  expect_whole(recovered("B"), made);
  for (std::size_t k = 0; k < made.size(); k += 4) EXPECT_EQ(store().query_key(made[k].key).bytes(0), made[k].bytes);
  EXPECT_EQ(store().stats().bad_records_total, 0u);
}

TEST_F(References, TheRecordIsInMemoryAndItsBaseInAFile) {
  open();
  send(queue(), 200, 3000);
  let_it_cool();
  wait_for("runs", [&] { return runs().size() >= 5; });
  reopen();  // the index of full segments is in their runs alone now
  (void)refer_to_sent(queue("C"), (send(queue("filler"), 1), sent.size() - 1));
  std::vector<Made> made;
  for (const std::size_t i : {std::size_t{2}, std::size_t{150}}) {
    std::int32_t code = 0;
    EXPECT_FALSE(try_refer(queue("B"), sent[i].phys_pos, body_of_sent(i), &code)) << "nobody has read it, so it is not at hand";
    EXPECT_EQ(code, GANTRY_E_STALE);
    EXPECT_EQ(store().read_at(sent[i].phys_pos).bytes(0), sent[i].expected());
    made.push_back(refer_to_sent(queue("B"), i));
  }
  expect_whole(queue("B"), made);
  EXPECT_EQ(store().query_key(made.back().key).bytes(0), made.back().bytes);
  std::int32_t code = 0;
  EXPECT_FALSE(try_refer(queue("B"), sent[2].phys_pos, body_of_sent(2) + std::string(9, 'x'), &code));
  EXPECT_EQ(code, GANTRY_E_INVALID) << "past the end of a base in a file";
  crash();
  open();
  expect_whole(recovered("B"), made);
}

TEST_F(References, PartsAcrossTheBordersOfExtents) {
  config["segment_size"] = "4 MiB";
  open();
  send(queue(), 20, 100000, 2);
  std::vector<Made> made;
  for (std::size_t i = 0; i < 20; ++i) made.push_back(refer_to_sent(queue("B"), i));
  for (std::size_t i = 0; i < 800; ++i) made.push_back(refer(queue("B"), sent[i % 20].phys_pos, body_of_sent(i % 20).substr(i, 600), static_cast<std::uint32_t>(i)));
  let_it_cool(10);
  expect_whole(queue("B"), made);
  reopen();
  expect_whole(recovered("B"), made);
}

TEST_F(References, AColdReadEndsWhereTheBodiesBecomeTooMany) {
  open();
  send(queue(), 3, 50000);
  std::vector<Made> made;
  for (std::size_t i = 0; i < 9; ++i) made.push_back(refer_to_sent(queue("B"), i % 3));
  let_it_cool();
  wait_for("runs", [&] { return runs().size() >= 5; });
  gantry_read request{};
  request.queue = queue("B");
  request.max_records = 100;
  request.max_bytes = 120000;
  request.flags = GANTRY_READ_ANY_TAG;
  for (std::int64_t at = 0; at < 9;) {
    request.offset = at;
    const ReadResult got = store().read(request);
    ASSERT_EQ(got->n, at == 8 ? 1u : 2u) << at;
    for (std::size_t i = 0; i < got->n; ++i, ++at) EXPECT_EQ(got.bytes(i), made[static_cast<std::size_t>(at)].bytes);
    EXPECT_EQ(got->next_off, at);
  }
  request.offset = 0;
  request.max_bytes = 10;
  EXPECT_EQ(store().read(request)->n, 1u) << "the first one always fits";
}

TEST_F(References, AKeyFindsManyBigOnesPageByPage) {
  config["hot_cache"] = "16 MiB";
  config["segment_size"] = "16 MiB";
  open();
  send(queue(), 1, 1000000);
  std::map<std::int64_t, std::string> made;
  (void)refer_to_sent(queue("B"), 0);
  for (int i = 0; i < 10; ++i) {
    Message own = message(queue("B"), "own");
    own.cuts = {kRecordHeadBytes};
    own.key_hashes = {5};
    AppendBatch batch(&own, 1, 7);
    batch.data()->base_pos = sent[0].phys_pos;
    batch.data()->base_skip = kRecordHeadBytes;
    batch.data()->base_bytes = 900000;
    batch.data()->bytes += 900000;
    CompletionLog done(host());
    host().on_shard(0, [&] { ASSERT_EQ(store().table().append(store().self(), 0, batch.data(), 1, done.id()), 1); });
    own.phys_pos = done.wait_for(7)->result;
    made[own.phys_pos] = own.expected().insert(kRecordHeadBytes, sent[0].bytes.substr(kRecordHeadBytes, 900000));
  }
  std::size_t found = 0;
  for (std::int64_t before = INT64_MAX; before >= 0;) {
    const ReadResult got = store().query_key(5, 100, before);
    EXPECT_LE(got->n, 4u) << "4 MiB at once";
    for (std::size_t i = 0; i < got->n; ++i, ++found) EXPECT_EQ(got.bytes(i), made.at(got->records[i].phys_pos));
    before = got->next_off;
  }
  EXPECT_EQ(found, 10u);
}

TEST_F(References, OneToAReferenceLeadsToTheBytesThemselves) {
  open();
  send(queue(), 4, 3000);
  const std::string body = body_of_sent(1);
  const Made first = refer(queue("B"), sent[1].phys_pos, body);
  const Made second = refer(queue("C"), first.pos, body);
  const Made third = refer(queue("C"), second.pos, body.substr(1000, 1500), 1000);
  close();
  flip(segment_of(first.pos), within(first.pos) + 60);  // the one in the middle is gone
  open();
  expect_whole(recovered("C"), {second, third});
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store().read_at(first.pos, &status));
  EXPECT_EQ(status, GANTRY_E_CORRUPT);
}

TEST_F(References, TheChainIsFollowedThroughFilesToo) {
  open();
  send(queue(), 4, 3000);
  const std::string body = body_of_sent(1);
  const Made first = refer(queue("B"), sent[1].phys_pos, body);
  let_it_cool();
  wait_for("a run", [&] { return !runs().empty(); });
  EXPECT_EQ(store().read_at(first.pos).bytes(0), first.bytes);
  const Made second = refer(queue("C"), first.pos, body);
  expect_whole(queue("C"), {second});
  close();
  flip(segment_of(first.pos), within(first.pos) + 60);
  open();
  expect_whole(recovered("C"), {second});
}

TEST_F(References, ADamagedBaseCostsItsRecordsAndSaysWhere) {
  open();
  send(queue(), 10, 3000);
  std::vector<Made> made;
  for (std::size_t i = 0; i < 10; ++i) made.push_back(refer_to_sent(queue("B"), i));
  let_it_cool();
  wait_for("runs", [&] { return runs().size() >= 5; });
  close();
  flip(segment_of(sent[3].phys_pos), within(sent[3].phys_pos) + 1500);
  open();
  std::map<std::int64_t, std::string> good;
  std::vector<std::int64_t> bad;
  for (std::int64_t at = 0; at < 10;) {
    const ReadResult got = store().read(recovered("B"), at, 64);
    for (std::size_t i = 0; i < got->n; ++i) good[got->records[i].queue_off] = got.bytes(i);
    if (got->stop == GANTRY_STOP_BAD) bad.push_back(got->next_off - 1);
    ASSERT_GT(got->next_off, at);
    at = got->next_off;
  }
  EXPECT_EQ(bad, std::vector<std::int64_t>{3});
  for (const Made &one : made) {
    if (one.offset == 3) continue;
    EXPECT_EQ(good[one.offset], one.bytes);
  }
  EXPECT_TRUE(host().logged("the body of the record at log position " + std::to_string(made[3].pos) + " in "));
  EXPECT_TRUE(host().logged("is stored with the record at log position " + std::to_string(sent[3].phys_pos) + " in " + segment_of(sent[3].phys_pos).string() + ", which is damaged"));
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store().read_at(made[3].pos, &status));
  EXPECT_EQ(status, GANTRY_E_CORRUPT);
  EXPECT_EQ(store().query_key(made[3].key)->n, 0u) << "left out of what its key finds";
  EXPECT_EQ(store().query_key(made[4].key)->n, 1u);
  EXPECT_GT(store().stats().bad_records_total, 0u);
  std::int32_t code = 0;
  EXPECT_FALSE(try_refer(queue("B"), sent[3].phys_pos, body_of_sent(3), &code)) << "nothing is built on it";
  EXPECT_EQ(code, GANTRY_E_NOT_FOUND);
}

TEST_F(References, ABaseThatCannotBeReadIsAnErrorAndNothingElse) {
  open();
  send(queue(), 10, 3000);
  const Made made = refer_to_sent(queue("B"), 4);
  let_it_cool();
  wait_for("a run", [&] { return !runs().empty(); });
  disk->on_read = [](std::uint64_t) { return EIO; };
  std::int32_t status = GANTRY_OK;
  EXPECT_FALSE(store().read_at(made.pos, &status));
  EXPECT_EQ(status, GANTRY_E_CORRUPT);
  disk->on_read = [](std::uint64_t nth) { return nth % 2 == 0 ? EIO : 0; };  // passes
  EXPECT_EQ(store().read_at(made.pos).bytes(0), made.bytes);
  disk->on_read = [](std::uint64_t) { return 0; };
  expect_whole(queue("B"), {made});
}

// ---- what keeps the base

TEST_F(References, OnAFullDiskAFileThatStaysAsABaseIsNotWaitedFor) {
  config["disk_full"] = "drop_oldest";
  config["keep_free"] = "1 MiB";
  config["recycle"] = "0";
  config["checkpoint_every"] = "1 MiB";
  disk->on_space = [this](commitlog::DiskSpace *space) {  // 64 MiB, of which the log may have 14
    std::int64_t log = 0;
    std::error_code gone;
    for (const auto &path : segments()) log += std::max<std::int64_t>(0, static_cast<std::int64_t>(std::filesystem::file_size(path, gone)));
    space->total = 64 << 20;
    space->free = std::max<std::int64_t>(0, (15 << 20) - log);
  };
  open();
  send(queue(), 10, 3000);
  let_it_cool(5);
  EXPECT_EQ(store().read_at(sent[4].phys_pos).bytes(0), sent[4].expected());
  const Made made = refer_to_sent(queue("B"), 4);
  let_it_cool(20);
  EXPECT_GT(store().stats().log_begin_pos, made.pos) << "the base went with what referred to it";
}

class ReferencesRetention : public References {
 protected:
  void SetUp() override {
    config["checkpoint_every"] = "1 MiB";
    config["retention"] = "10h";
  }
  void open_at(std::int64_t now_ms) {
    wall_ms = now_ms;
    open();
  }
  static constexpr std::int64_t kHour = 3600 * 1000, kStart = 1'700'000'000'000;
  // Time passes while the log grows, so that segments are sealed and the background has looked.
  void pass(std::int64_t hours) {
    let_it_cool(2);
    host().advance_ms(hours * kHour);
    let_it_cool(2);
  }
  bool is_there(std::int64_t pos) {
    std::int32_t status = GANTRY_OK;
    return static_cast<bool>(store().read_at(pos, &status));
  }
  void wait_until_gone(std::int64_t pos) {
    wait_for("it expires", [&] {
      host().advance_ms(1);
      return !is_there(pos);
    });
  }
  bool file_is_there(const std::filesystem::path &path) const { return std::filesystem::exists(path); }
};

TEST_F(ReferencesRetention, TheFileOfABaseStaysUntilWhatRefersToItExpires) {
  open_at(kStart);
  send(queue(), 10, 3000);
  const std::filesystem::path base_file = segment_of(sent[4].phys_pos);
  pass(4);
  EXPECT_EQ(store().read_at(sent[4].phys_pos).bytes(0), sent[4].expected());
  const Made made = refer_to_sent(queue("B"), 4);
  const std::filesystem::path own_file = segment_of(made.pos);
  ASSERT_NE(base_file, own_file);
  pass(7);  // the base is 11 hours old, the record 7
  wait_until_gone(sent[4].phys_pos);
  EXPECT_GT(store().stat(queue()).min_off, 0);
  EXPECT_TRUE(file_is_there(base_file));
  EXPECT_FALSE(host().logged("retention: dropped"));
  expect_whole(queue("B"), {made});
  std::int32_t code = 0;
  EXPECT_FALSE(try_refer(queue("B"), sent[4].phys_pos, body_of_sent(4), &code)) << "an expired one is no base";
  EXPECT_EQ(code, GANTRY_E_NOT_FOUND);
  EXPECT_FALSE(try_refer(queue("B"), made.pos, body_of_sent(4), &code)) << "nor is it one by way of a record that is there";
  EXPECT_EQ(code, GANTRY_E_STALE);

  // Restarts change nothing: neither is the base read again, nor does its file go.
  const std::int64_t min_off = store().stat(queue()).min_off, begin = store().stats().log_begin_pos, now = host().wall_ms();
  for (const bool killed : {false, true}) {
    killed ? crash() : close();
    open_at(now);
    EXPECT_EQ(store().stat(recovered("A")).min_off, min_off) << (killed ? "kill -9" : "stop");
    EXPECT_EQ(store().stats().log_begin_pos, begin);
    std::int32_t status = GANTRY_OK;
    EXPECT_FALSE(store().read_at(sent[4].phys_pos, &status));
    EXPECT_EQ(status, GANTRY_E_NOT_FOUND);
    expect_whole(recovered("B"), {made});
    host().advance_ms(1000);
    EXPECT_TRUE(file_is_there(base_file));
  }
  pass(4);
  wait_until_gone(made.pos);
  wait_for("the files of both go", [&] {
    host().advance_ms(1);
    return !file_is_there(base_file) && !file_is_there(own_file);
  });
}

TEST_F(ReferencesRetention, ATornTailLosesNoReference) {
  open_at(kStart);
  send(queue(), 10, 3000);
  const std::filesystem::path base_file = segment_of(sent[4].phys_pos);
  pass(4);
  (void)store().read_at(sent[4].phys_pos);
  const Made made = refer_to_sent(queue("B"), 4);
  const std::int64_t now = host().wall_ms();
  crash();  // the segment with it has neither run nor checkpoint
  open_at(now);
  pass(7);
  wait_until_gone(sent[4].phys_pos);
  EXPECT_TRUE(file_is_there(base_file));
  expect_whole(recovered("B"), {made});
}

TEST_F(ReferencesRetention, WhatIsOldIsNotReferredTo) {
  open_at(kStart);
  send(queue(), 10, 3000);
  pass(6);
  EXPECT_EQ(store().read_at(sent[4].phys_pos).bytes(0), sent[4].expected());
  std::int32_t code = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(try_refer(queue("B"), sent[4].phys_pos, body_of_sent(4), &code));
    EXPECT_EQ(code, GANTRY_E_STALE) << "more than half of ten hours";
    (void)refer(queue("B"), sent.back().phys_pos, body_of_sent(sent.size() - 1));
  }
}

TEST_F(ReferencesRetention, BytesOnDiskStayBounded) {
  config["retention"] = "0";
  config["retention_bytes"] = "8 MiB";
  config["recycle"] = "0";
  open();
  std::int64_t most_bytes = 0, refused = 0;
  std::map<std::int64_t, std::string> made;
  (void)refer_to_sent(queue("B"), (send(queue(), 1, 3000), sent.size() - 1));
  for (int round = 0; round < 60; ++round) {
    send(queue(), 1, 3000);
    // Everybody refers to the same old record for as long as the store lets them, and to it by way of each other.
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t target = sent.size() - 1 - std::min<std::size_t>(sent.size() - 1, i * 400);
      std::int32_t code = 0;
      if (const auto one = try_refer(queue("B"), sent[target].phys_pos, body_of_sent(target), &code)) {
        made[one->offset] = one->bytes;
      } else {
        ASSERT_TRUE(code == GANTRY_E_STALE || code == GANTRY_E_NOT_FOUND) << code;
        ++refused;
      }
    }
    send(queue("filler"), 110, 5000, 20);
    most_bytes = std::max(most_bytes, static_cast<std::int64_t>(store().stats().bytes_on_disk));
    const std::int64_t min_off = store().stat(queue("B")).min_off;
    for (const auto &[offset, bytes] : read_queue(store(), queue("B"), 64)) {
      ASSERT_GE(offset, min_off);
      if (!made.contains(offset)) continue;
      ASSERT_EQ(bytes, made[offset]) << "round " << round << " offset " << offset;
    }
  }
  wait_for("it comes down to what is configured", [&] { return store().stats().segments <= 8; });
  EXPECT_GT(refused, 0);
  EXPECT_GT(made.size(), 20u);
  EXPECT_LT(most_bytes, 20 << 20) << "and is never far above it";
  EXPECT_GT(store().stat(queue("B")).min_off, 0);
}

}  // namespace
}  // namespace gantry::test
