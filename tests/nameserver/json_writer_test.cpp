// The writer emits compact strict JSON that strict parsers and RocketMQ's own take.
#include "json/document.hpp"
#include "json/writer.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting::json {
namespace {

TEST(JsonWriter, ObjectsArraysAndCommas) {
  std::string out;
  Writer w(out);
  w.begin_object().member("a", 1).member("b", "x").member("c", true).key("d").begin_array().number(-1).null().boolean(false).end_array();
  w.key("e").begin_object().end_object().key("f").raw("[9]").key("g").begin_array().end_array().end_object();
  EXPECT_EQ(R"({"a":1,"b":"x","c":true,"d":[-1,null,false],"e":{},"f":[9],"g":[]})", out);
}

TEST(JsonWriter, IntegerKeysAreQuotedAndMessageQueueKeysAreNot) {
  std::string out;
  Writer w(out);
  w.begin_object().key(0).string("h:p").key(-7).number(INT64_MIN).raw_key(R"({"queueId":0})").number(5).end_object();
  EXPECT_EQ(R"({"0":"h:p","-7":-9223372036854775808,{"queueId":0}:5})", out);
}

TEST(JsonWriter, TextIsEscapedAndInvalidUtf8Replaced) {
  std::string out;
  append_quoted(out, std::string("a\"\\\n\r\t\x01\x7f\0z", 10));
  EXPECT_EQ(R"("a\"\\\n\r\t\u0001\u007f\u0000z")", out);
  out.clear();
  append_quoted(out, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", out);
  out.clear();
  append_quoted(out, "\xFFx\xC3|\xED\xA0\x80|\xC0\xAF|\xE2\x82");
  EXPECT_EQ(R"("\ufffdx\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd|\ufffd\ufffd")", out);
}

TEST(JsonWriter, WhatIsWrittenReadsBack) {
  std::string text;
  for (int byte = 0; byte < 0x80; ++byte) text.push_back(static_cast<char>(byte));
  std::string out;
  Writer(out).begin_object().member(text, text).end_object();
  Document document;
  ASSERT_TRUE(document.parse(out)) << document.error().text();
  EXPECT_EQ(text, document.root().text_or(text, ""));
}

}  // namespace
}  // namespace gantry::remoting::json
