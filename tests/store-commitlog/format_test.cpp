// Frames and fillers as bytes: what was put comes back, anything else is refused.
#include "format.hpp"

#include <gantry++/bytes.hpp>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gantry::commitlog {
namespace {

// A frame of two records in two queues with one meta operation, laid out by hand as docs/formats/commitlog.md says.
struct Sample {
  std::vector<std::uint8_t> bytes;
  FrameHeader header;
  static constexpr std::int64_t kPos = 8192;
  static constexpr std::uint64_t kEpoch = 3;

  Sample() {
    const std::string records = "first record" + std::string("second");
    std::vector<std::uint8_t> ops;
    put_meta_op(ops, MetaOpKind::kPut, std::string_view("key"), std::string_view("value"));
    std::vector<std::uint8_t> tail(sizeof(BlankHead));
    put_blank_head(tail.data(), Kind::kMeta, static_cast<std::uint32_t>(sizeof(BlankHead) + ops.size()), 1);
    tail.insert(tail.end(), ops.begin(), ops.end());
    header.meta_bytes = static_cast<std::uint32_t>(tail.size());

    std::vector<std::uint8_t> trailer(sizeof(BlankHead));
    const auto put = [&](const auto &value) {
      const auto *p = reinterpret_cast<const std::uint8_t *>(&value);
      trailer.insert(trailer.end(), p, p + sizeof value);
    };
    put(QueueRow{7, 2, 100});
    put(QueueRow{9, 1, 5});
    put(std::uint32_t{12});
    put(crc32c("first record", 12));
    put(std::uint16_t{2});
    put(std::uint8_t{1});
    put(std::uint8_t{kRowTags32});
    put(std::uint16_t{0});
    put(std::uint16_t{1});
    put(std::int32_t{-5});
    put(std::int32_t{6});
    put(std::uint64_t{0xABCDEF});
    put(std::uint32_t{6});
    put(crc32c("second", 6));
    put(std::uint16_t{1});
    put(std::uint8_t{0});
    put(std::uint8_t{kRowStoreMs | kRowTags64});
    put(std::int32_t{-20});
    put(std::uint16_t{0});
    put(std::int64_t{1} << 40);
    while ((sizeof(FrameHeader) + records.size() + tail.size() + trailer.size()) % kFrameAlign != 0) trailer.push_back(0);
    put_blank_head(trailer.data(), Kind::kTrailer, static_cast<std::uint32_t>(trailer.size()), 2);

    header.trailer_bytes = static_cast<std::uint32_t>(trailer.size());
    header.records_bytes = static_cast<std::uint32_t>(records.size());
    header.record_count = header.queue_count = 2;
    header.frame_bytes = static_cast<std::uint32_t>(sizeof header + records.size() + tail.size() + trailer.size());
    header.pos = kPos;
    header.epoch = kEpoch;
    header.stable_pos = 4096;
    header.first_store_ms = 1000;
    tail.insert(tail.end(), trailer.begin(), trailer.end());
    header.tail_crc = crc32c(tail.data(), tail.size());
    bytes.resize(sizeof header);
    put_frame_header(bytes.data(), header);
    bytes.insert(bytes.end(), records.begin(), records.end());
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }

  [[nodiscard]] bool holds() const {
    const auto unit = parse_unit(bytes, {kPos}, kEpoch);
    ParsedFrame frame;
    return unit && unit->bytes <= bytes.size() && parse_frame(bytes, unit->header, &frame);
  }
};

TEST(Format, AFrameComesBackAsItWasPut) {
  const Sample sample;
  const auto unit = parse_unit(sample.bytes, {Sample::kPos}, 1);
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->kind, Kind::kFrame);
  EXPECT_EQ(unit->bytes, sample.bytes.size());
  EXPECT_EQ(unit->header.stable_pos, 4096);
  ParsedFrame frame;
  ASSERT_TRUE(parse_frame(sample.bytes, unit->header, &frame));
  ASSERT_EQ(frame.records.size(), 2u);
  const ParsedRecord &first = frame.records[0], &second = frame.records[1];
  EXPECT_EQ(first.offset_in_frame, sizeof(FrameHeader));
  EXPECT_EQ(first.store_ms, 1000);
  EXPECT_EQ(first.n_links, 2u);
  EXPECT_EQ(frame.queues[first.link(1)].queue, 9u);
  EXPECT_EQ(first.tag(0), -5);
  EXPECT_EQ(first.tag(1), 6);
  EXPECT_EQ(first.key(0), 0xABCDEFu);
  EXPECT_EQ(second.store_ms, 980);
  EXPECT_EQ(second.tag(0), std::int64_t{1} << 40);
  EXPECT_EQ(crc32c(sample.bytes.data() + second.offset_in_frame, second.bytes), second.crc);
  ASSERT_EQ(frame.ops.size(), 1u);
  EXPECT_EQ(std::string(frame.ops[0].value, frame.ops[0].value_bytes), "value");
}

TEST(Format, EverythingCanBeWalkedBySizesAlone) {
  const Sample sample;
  std::size_t at = 0, blanks = 0;
  // Records are passed over by their own first word in RocketMQ's layout; these two are opaque, so their sizes are known here.
  const std::size_t records[] = {12, 6};
  while (at < sample.bytes.size()) {
    if (load_be32(sample.bytes.data() + at + 4) == kBlankMagic) {
      ++blanks;
      at += load_be32(sample.bytes.data() + at);
    } else {
      at += records[0] + records[1];
    }
  }
  EXPECT_EQ(at, sample.bytes.size());
  EXPECT_EQ(blanks, 3u);
}

TEST(Format, AnyChangedBitOfHeaderMetaOrTrailerIsSeen) {
  const Sample sample;
  ASSERT_TRUE(sample.holds());
  for (std::size_t i = 0; i < sample.bytes.size(); ++i) {
    const bool record = i >= sizeof(FrameHeader) && i < sizeof(FrameHeader) + sample.header.records_bytes;
    for (int bit = 0; bit < 8; ++bit) {
      Sample changed = sample;
      changed.bytes[i] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_EQ(changed.holds(), record) << "byte " << i << " bit " << bit;
    }
  }
}

TEST(Format, AFrameAtAnotherPositionOrOfAnOlderEpochIsRefused) {
  const Sample sample;
  EXPECT_FALSE(parse_unit(sample.bytes, {Sample::kPos + 32}, 1));
  EXPECT_FALSE(parse_unit(sample.bytes, {Sample::kPos}, Sample::kEpoch + 1));
  EXPECT_FALSE(parse_unit(std::span(sample.bytes).first(79), {Sample::kPos}, 1));
}

TEST(Format, AFillerComesBackAndItsDamageIsSeen) {
  std::uint8_t bytes[kFrameAlign];
  put_filler(bytes, 4096 - 320, {320}, 2);
  const auto unit = parse_unit(bytes, {320}, 2);
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->kind, Kind::kFiller);
  EXPECT_EQ(unit->bytes, 4096u - 320);
  EXPECT_FALSE(parse_unit(bytes, {320}, 3));
  EXPECT_FALSE(parse_unit(bytes, {352}, 2));
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    std::uint8_t changed[kFrameAlign];
    std::memcpy(changed, bytes, sizeof bytes);
    changed[i] ^= 1;
    EXPECT_FALSE(parse_unit(changed, {320}, 2)) << i;
  }
}

// Random trailers under a right checksum: parsing must stay within the bytes, whatever the counts say.
TEST(Format, RandomContentUnderARightChecksumIsParsedWithinItsBounds) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    Sample sample;
    const std::size_t tail_at = sizeof(FrameHeader) + sample.header.records_bytes;
    for (int i = 0; i < 4; ++i) {
      const std::size_t at = tail_at + random() % (sample.bytes.size() - tail_at);
      sample.bytes[at] = static_cast<std::uint8_t>(random());
    }
    FrameHeader header = sample.header;
    header.record_count = static_cast<std::uint32_t>(random() % 4);
    header.queue_count = static_cast<std::uint32_t>(random() % 4);
    header.tail_crc = crc32c(sample.bytes.data() + tail_at, sample.bytes.size() - tail_at);
    ParsedFrame frame;
    if (!parse_frame(sample.bytes, header, &frame)) continue;
    std::uint64_t sum = 0;
    for (const ParsedRecord &record : frame.records) {
      sum += record.bytes;
      for (std::uint32_t l = 0; l < record.n_links; ++l) {
        ASSERT_LT(record.link(l), frame.queues.size());
        (void)record.tag(l);
      }
      for (std::uint32_t k = 0; k < record.n_keys; ++k) (void)record.key(k);
    }
    ASSERT_EQ(sum, header.records_bytes);
  }
}

TEST(Format, Crc32cIsTheStandardOne) { EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u); }

}  // namespace
}  // namespace gantry::commitlog
