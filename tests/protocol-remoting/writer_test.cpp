#include "codec/reply_templates.hpp"
#include "codec/writer.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

constexpr std::uint8_t kIp[16] = {10, 0, 0, 5};

// Decodes what was written, so that both forms are judged by what a peer would read.
struct Read {
  std::string bytes;
  Frame frame;
  Header header;
  Scratch scratch{kHeaderMaxBytes};

  Read(const std::vector<std::uint8_t> &buffer, std::uint32_t n, std::string_view body = {})
      : bytes(reinterpret_cast<const char *>(buffer.data()), n) {
    bytes += body;
    EXPECT_EQ(split_frame(reinterpret_cast<const std::uint8_t *>(bytes.data()), static_cast<std::uint32_t>(bytes.size()), frame),
              FrameStatus::kWhole);
    EXPECT_EQ(frame.total_bytes, bytes.size());
    EXPECT_EQ(decode_header(frame, scratch, header), nullptr) << frame.header;
  }
};

Read write(const OutHeader &head, std::string_view body = {}) {
  std::vector<std::uint8_t> buffer(frame_bound(head));
  const std::uint32_t n = write_frame(buffer.data(), head, static_cast<std::uint32_t>(body.size()));
  EXPECT_LE(n, buffer.size());
  return Read(buffer, n, body);
}

class Both : public testing::TestWithParam<SerializeType> {};
INSTANTIATE_TEST_SUITE_P(Forms, Both, testing::Values(SerializeType::kJson, SerializeType::kBinary));

TEST_P(Both, ReplyWithFieldsRemarkAndBody) {
  const ExtField ext[] = {{"offset", "12"}, {"name", "a\"b\\c\1"}};
  OutHeader head{.type = GetParam(), .code = 17, .opaque = -3, .remark = "no topic \"x\"\n", .ext = ext, .n_ext = 2};
  const Read r = write(head, "body");
  EXPECT_EQ(r.frame.type, GetParam());
  EXPECT_EQ(r.frame.body, "body");
  EXPECT_EQ(r.header.code, 17);
  EXPECT_EQ(r.header.opaque, -3);
  EXPECT_TRUE(r.header.is_response());
  EXPECT_EQ(r.header.version, 409);
  EXPECT_EQ(r.header.language, 0);
  EXPECT_EQ(r.header.remark, "no topic \"x\"\n");
  EXPECT_EQ(r.header.text("offset"), "12");
  EXPECT_EQ(r.header.text("name"), "a\"b\\c\1");
}

TEST_P(Both, SendReplyTemplate) {
  const SendReplyTemplate replies(kIp, 4, 10911, "DefaultRegion", true);
  std::vector<std::uint8_t> buffer(replies.bound());
  for (const std::int64_t big : {std::int64_t{0}, std::int64_t{123456789}, INT64_MAX}) {
    const std::uint32_t n =
        replies.write(buffer.data(), GetParam(), {.code = 10, .opaque = INT32_MIN, .queue_id = INT32_MIN, .queue_offset = -big, .log_position = big});
    ASSERT_LE(n, buffer.size());
    const Read r(buffer, n);
    char id[33];
    std::snprintf(id, sizeof id, "0A00000500002A9F%016llX", static_cast<unsigned long long>(big));
    EXPECT_EQ(r.header.code, 10);
    EXPECT_EQ(r.header.opaque, INT32_MIN);
    EXPECT_EQ(r.header.text("msgId"), id);
    EXPECT_EQ(r.header.text("queueId"), std::to_string(INT32_MIN));
    EXPECT_EQ(r.header.text("queueOffset"), std::to_string(-big));
    EXPECT_EQ(r.header.text("MSG_REGION"), "DefaultRegion");
    EXPECT_EQ(r.header.text("TRACE_ON"), "true");
    EXPECT_TRUE(r.header.is_response());
    EXPECT_EQ(r.header.version, 409);
  }
}

TEST_P(Both, PullReply) {
  std::vector<std::uint8_t> buffer(kPullReplyMax);
  const PullReply reply{.code = 21, .opaque = 8, .next_offset = INT64_MAX, .min_offset = INT64_MIN, .max_offset = 3, .remark = "OFFSET_TOO_SMALL"};
  const std::uint32_t n = write_pull_reply(buffer.data(), GetParam(), reply, 3);
  ASSERT_LE(n, buffer.size());
  const Read r(buffer, n, "abc");
  EXPECT_EQ(r.header.code, 21);
  EXPECT_EQ(r.header.remark, "OFFSET_TOO_SMALL");
  EXPECT_EQ(r.header.text("suggestWhichBrokerId"), "0");
  EXPECT_EQ(r.header.text("nextBeginOffset"), std::to_string(INT64_MAX));
  EXPECT_EQ(r.header.text("minOffset"), std::to_string(INT64_MIN));
  EXPECT_EQ(r.header.text("maxOffset"), "3");
  EXPECT_EQ(r.frame.body, "abc");
}

TEST(Writer, JsonAlwaysHasExtFieldsAndIsExact) {
  OutHeader head;
  head.opaque = 1;
  const Read r = write(head);
  EXPECT_EQ(r.frame.header,
            R"({"code":0,"extFields":{},"flag":1,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":409})");
}

TEST(Writer, RequestOfOurs) {
  const ExtField ext[] = {{"consumerGroup", "G"}};
  OutHeader head{.code = kNotifyConsumerIdsChanged, .opaque = 4, .flag = kFlagOneway, .remark = {}, .ext = ext, .n_ext = 1};
  const Read r = write(head);
  EXPECT_TRUE(r.header.is_oneway());
  EXPECT_FALSE(r.header.is_response());
  EXPECT_EQ(r.header.text("consumerGroup"), "G");
}

TEST(Writer, StoreHostOfIpv6) {
  std::uint8_t ip[16] = {0x20, 0x01};
  ip[15] = 1;
  const SendReplyTemplate replies(ip, 16, 10911, "r", false);
  EXPECT_EQ(replies.id_prefix(), "2001000000000000000000000000000100002A9F");
  EXPECT_EQ(replies.trace_on(), "false");
}

TEST(Codes, NamesOfBothTables) {
  EXPECT_STREQ(request_name(310), "SEND_MESSAGE_V2");
  EXPECT_EQ(request_name(9), nullptr);
  EXPECT_STREQ(response_name(17), "TOPIC_NOT_EXIST");
  EXPECT_EQ(response_name(-1), nullptr);
}

}  // namespace
}  // namespace gantry::remoting
