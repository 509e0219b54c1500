// The three forms of REGISTER_BROKER's body, from real brokers and damaged.
#include "nameserver/limits.hpp"
#include "nameserver/names.hpp"
#include "nameserver/registration_body.hpp"
#include "nameserver/zlib_stream.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace gantry::remoting::nameserver {
namespace {

std::string fixture(const std::string &name) {
  std::ifstream in(std::string(NAMESERVER_FIXTURES) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

// The compressed form by its description: counted blocks in a zlib stream.
std::string deflated(const std::string &content) {
  uLongf bytes = compressBound(content.size());
  std::string out(bytes, '\0');
  EXPECT_EQ(Z_OK, compress2(reinterpret_cast<Bytef *>(out.data()), &bytes, reinterpret_cast<const Bytef *>(content.data()), content.size(), 9));
  out.resize(bytes);
  return out;
}

std::string int32_text(std::uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::string block(const std::string &text) { return int32_text(static_cast<std::uint32_t>(text.size())) + text; }

struct Read {
  Registration registration;
  std::uint32_t skipped = 0;
  std::string error;
};

Read read(std::string_view body, BodyForm form) {
  Read out;
  json::Document document;
  auto result = read_registration_body(body, form, document, out.registration, &out.skipped);
  if (!result) out.error = result.error().text;
  return out;
}

const QueueData *topic(const Read &read, std::string_view name) {
  const auto &topics = read.registration.topics;
  const auto at = std::find_if(topics.begin(), topics.end(), [&](const auto &entry) { return entry.first == name; });
  return at != topics.end() ? &at->second : nullptr;
}

TEST(RegistrationBody, OfARealBroker4) {
  const std::string body = fixture("register-4.9.7.json");
  EXPECT_EQ(1978457906, body_crc32(body));
  const Read out = read(body, BodyForm::kJson);
  ASSERT_EQ("", out.error);
  EXPECT_EQ(8u, out.registration.topics.size());
  EXPECT_EQ(0u, out.skipped);
  EXPECT_EQ((DataVersion{0, 1795276215048, 0}), out.registration.version);
  ASSERT_NE(nullptr, topic(out, "TBW102"));
  EXPECT_EQ((QueueData{8, 8, 7, 0}), *topic(out, "TBW102"));
  EXPECT_EQ((QueueData{1024, 1024, 6, 0}), *topic(out, "BenchmarkTest"));
}

TEST(RegistrationBody, OfARealBroker5) {
  const std::string body = fixture("register-5.5.0.json");
  EXPECT_EQ(549673324, body_crc32(body));
  const Read out = read(body, BodyForm::kJson);
  ASSERT_EQ("", out.error);
  EXPECT_EQ(15u, out.registration.topics.size());
  ASSERT_NE(nullptr, topic(out, "rmq_sys_wheel_timer"));
}

TEST(RegistrationBody, OfARealBrokerCompressed) {
  const std::string body = fixture("register-4.9.7.zlib");
  EXPECT_EQ(102205018, body_crc32(body));
  const Read out = read(body, BodyForm::kCompressed);
  ASSERT_EQ("", out.error);
  EXPECT_EQ(8u, out.registration.topics.size());
  EXPECT_EQ((DataVersion{0, 1795276230206, 0}), out.registration.version);
  EXPECT_EQ((QueueData{18, 18, 6, 0}), *topic(out, "SCHEDULE_TOPIC_XXXX"));
}

TEST(RegistrationBody, CompressedMadeByItsDescription) {
  const std::string content = block(R"({"counter":7,"stateVersion":3,"timestamp":1700000000000})") + int32_text(3) +
                              block("T 4 8 6 SINGLE_TAG") + block(R"(U 1 1 4 MULTI_TAG {"+a":"b c"})") + block("not a topic line") +
                              block(R"(["10.0.0.1:5000","nonsense"])") + "what 5.x appends";
  const Read out = read(deflated(content), BodyForm::kCompressed);
  ASSERT_EQ("", out.error);
  EXPECT_EQ((DataVersion{7, 1700000000000, 3}), out.registration.version);
  EXPECT_EQ((QueueData{4, 8, 6, 0}), *topic(out, "T"));
  EXPECT_EQ((QueueData{1, 1, 4, 0}), *topic(out, "U"));
  EXPECT_EQ(1u, out.skipped);
  EXPECT_EQ(std::vector<std::string>{"10.0.0.1:5000"}, out.registration.filter_servers);
}

TEST(RegistrationBody, OldPeersSendTheTopicTableAlone) {
  const std::string body = R"({"dataVersion":{"counter":"5","timestamp":0},topicConfigTable:{"T":{"topicName":"T",readQueueNums:4,"writeQueueNums":"8"}}})";
  const Read out = read(body, BodyForm::kTopicsOnly);
  ASSERT_EQ("", out.error);
  EXPECT_EQ((DataVersion{5, 0, 0}), out.registration.version);
  EXPECT_EQ((QueueData{4, 8, 6, 0}), *topic(out, "T"));
  EXPECT_TRUE(read(body, BodyForm::kJson).registration.topics.empty());
}

TEST(RegistrationBody, NoBodyIsAnEmptyTable) {
  for (const BodyForm form : {BodyForm::kJson, BodyForm::kTopicsOnly, BodyForm::kCompressed}) {
    const Read out = read("", form);
    EXPECT_EQ("", out.error);
    EXPECT_TRUE(out.registration.topics.empty());
    EXPECT_EQ(DataVersion{}, out.registration.version);
  }
}

TEST(RegistrationBody, UnusableTopicsAreLeftOutAndCounted) {
  const auto table = [](const std::string &topics) {
    return read(R"({"topicConfigSerializeWrapper":{"topicConfigTable":{)" + topics + "}}}", BodyForm::kJson);
  };
  EXPECT_EQ(1u, table(R"("a b":{})").skipped);
  EXPECT_EQ(1u, table(R"("a\nb":{})").skipped);
  EXPECT_EQ(1u, table("\"" + std::string(256, 'x') + "\":{}").skipped);
  EXPECT_EQ(1u, table(R"("T":{"readQueueNums":-1})").skipped);
  EXPECT_EQ(1u, table(R"("T":{"writeQueueNums":99999999999})").skipped);
  EXPECT_EQ(1u, table(R"("T":7)").skipped);
  const Read good = table(R"("T":{},"U":{"topicName":"V"})");
  EXPECT_EQ(0u, good.skipped);
  EXPECT_EQ((QueueData{16, 16, 6, 0}), *topic(good, "T")) << "Java's defaults";
  EXPECT_NE(nullptr, topic(good, "V"));
}

TEST(RegistrationBody, BrokenTextsAreRefusedWithTheirPlace) {
  EXPECT_EQ("registration: line 1, column 2: expected a key or '}'", read("{]", BodyForm::kJson).error);
  EXPECT_EQ("registration: expected a JSON object", read("[]", BodyForm::kJson).error);
  EXPECT_EQ("compressed registration: it is no whole zlib stream", read("no zlib", BodyForm::kCompressed).error);
  EXPECT_EQ("data version: the content is cut off", read(deflated(int32_text(100) + "{}"), BodyForm::kCompressed).error);
  EXPECT_EQ("data version: the content is cut off", read(deflated(int32_text(0xFFFFFFFF) + "{}"), BodyForm::kCompressed).error);
  EXPECT_EQ("topic table: the content is cut off", read(deflated(block("{}") + int32_text(2) + block("T 1 1 6 X")), BodyForm::kCompressed).error);
  EXPECT_EQ("topic table: the content is cut off", read(deflated(block("{}") + int32_text(0xFFFFFFFF) + block("[]")), BodyForm::kCompressed).error);
}

TEST(RegistrationBody, EveryDamageOfACompressedBodyIsHandled) {
  const std::string whole = fixture("register-4.9.7.zlib");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NE("", read(whole.substr(0, std::max<std::size_t>(i, 1)), BodyForm::kCompressed).error) << i;
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      (void)read(damaged, BodyForm::kCompressed);  // no crash, no read outside; most are refused by the checksum
    }
  }
}

TEST(ZlibStream, StopsAtItsLimit) {
  const std::string stream = deflated(std::string(1 << 20, 'x'));
  ASSERT_TRUE(inflate_zlib(stream, 1 << 20).ok());
  EXPECT_EQ(1u << 20, inflate_zlib(stream, 1 << 20)->size());
  EXPECT_EQ(GANTRY_E_LIMIT, inflate_zlib(stream, (1 << 20) - 1).error().code);
  EXPECT_EQ(GANTRY_E_CORRUPT, inflate_zlib(stream.substr(0, stream.size() - 1), 1 << 20).error().code);
}

TEST(Names, WhatMayEnterTheTables) {
  EXPECT_TRUE(is_name("%RETRY%group-1|x"));
  EXPECT_TRUE(is_name(std::string(255, 'x')));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name(std::string(256, 'x')));
  EXPECT_FALSE(is_name("a b"));
  EXPECT_FALSE(is_name(std::string("a\0b", 3)));
  for (const char *good : {"10.0.0.1:10911", "[::1]:1", "fe80::1%eth0:65535", "broker-a.local:10911"}) EXPECT_TRUE(is_address(good)) << good;
  for (const char *bad : {"", ":1", "host", "host:", "host:0", "host:65536", "host:1x", "a,b:1", "a\"b:1", "a b:1"}) EXPECT_FALSE(is_address(bad)) << bad;
}

TEST(DataVersionText, ReadAndWritten) {
  json::Document document;
  EXPECT_EQ((DataVersion{1, 2, 0}), *read_data_version(R"({"counter":1,"timestamp":2})", document));
  EXPECT_EQ(DataVersion{}, *read_data_version("", document));
  EXPECT_FALSE(read_data_version("{", document).ok());
  EXPECT_EQ(R"({"counter":1,"timestamp":2})", data_version_json({1, 2, 0}));
  EXPECT_EQ(R"({"counter":1,"stateVersion":3,"timestamp":2})", data_version_json({1, 2, 3}));
}

}  // namespace
}  // namespace gantry::remoting::nameserver
