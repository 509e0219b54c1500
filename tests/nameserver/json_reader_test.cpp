// The reader takes what RocketMQ's peers write, refuses the rest with a position, and stays within its limits.
#include "json/document.hpp"

#include <gtest/gtest.h>

#include <string>

namespace gantry::remoting::json {
namespace {

void expect_refused(std::string_view text, std::string_view what, std::uint32_t line, std::uint32_t column) {
  Document document;
  EXPECT_FALSE(document.parse(text)) << text;
  EXPECT_EQ(what, document.error().what) << text;
  EXPECT_EQ(line, document.error().line) << text;
  EXPECT_EQ(column, document.error().column) << text;
  EXPECT_TRUE(document.root().is_null());
}

TEST(JsonReader, StrictTextWithEveryKind) {
  Document document;
  ASSERT_TRUE(document.parse(R"( {"a":1,"b":[true,false,null,"x",-2.5e3],"c":{"d":{}}} )"));
  const Value &root = document.root();
  EXPECT_EQ(3u, root.size());
  EXPECT_EQ(1, root.int64_or("a", 0));
  const Value *list = root.find("b");
  ASSERT_NE(nullptr, list);
  ASSERT_EQ(5u, list->size());
  auto element = list->begin();
  EXPECT_EQ(true, element->to_bool());
  EXPECT_EQ(false, (++element)->to_bool());
  EXPECT_TRUE((++element)->is_null());
  EXPECT_EQ("x", (++element)->text());
  EXPECT_EQ(-2500, (++element)->to_int64());
  ASSERT_NE(nullptr, root.find("c"));
  EXPECT_EQ(R"({"d":{}})", root.find("c")->raw());
}

TEST(JsonReader, KeysWithoutQuotesWithSingleQuotesAndIntegers) {
  Document document;
  ASSERT_TRUE(document.parse(R"({brokerAddrs:{0:"h:1",-1:'h:2'},'cluster':"c",$x_1:3})"));
  const Value *addrs = document.root().find("brokerAddrs");
  ASSERT_NE(nullptr, addrs);
  EXPECT_EQ("h:1", addrs->text_or("0", ""));
  EXPECT_EQ("h:2", addrs->text_or("-1", ""));
  EXPECT_EQ("c", document.root().text_or("cluster", ""));
  EXPECT_EQ(3, document.root().int64_or("$x_1", 0));
}

TEST(JsonReader, ObjectsAsKeys) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"offsetTable":{{"brokerName":"b","queueId":7,"topic":"t"}:5,[1]:6}})"));
  const Value *table = document.root().find("offsetTable");
  ASSERT_NE(nullptr, table);
  ASSERT_EQ(2u, table->size());
  const Value &first = *table->begin();
  ASSERT_NE(nullptr, first.key_value());
  EXPECT_EQ("t", first.key_value()->text_or("topic", ""));
  EXPECT_EQ(7, first.key_value()->int32_or("queueId", -1));
  EXPECT_EQ(5, first.to_int64());
  EXPECT_EQ(nullptr, table->find(""));
}

TEST(JsonReader, NumbersAsStringsAndBooleansAsNumbers) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"a":"12","b":"-3","c":12L,"d":1.9,"e":"TRUE","f":0,"g":"n","h":9223372036854775807})"));
  const Value &root = document.root();
  EXPECT_EQ(12, root.int64_or("a", 0));
  EXPECT_EQ(-3, root.int32_or("b", 0));
  EXPECT_EQ(12, root.int64_or("c", 0));
  EXPECT_EQ(1, root.int64_or("d", 0));
  EXPECT_TRUE(root.bool_or("e", false));
  EXPECT_FALSE(root.bool_or("f", true));
  EXPECT_FALSE(root.bool_or("g", true));
  EXPECT_EQ(INT64_MAX, root.int64_or("h", 0));
}

TEST(JsonReader, WhatDoesNotConvertGivesTheFallback) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"a":"12x","b":4294967296,"c":null,"d":{},"e":"","f":1e30,"g":9223372036854775808,"h":"maybe"})"));
  const Value &root = document.root();
  EXPECT_EQ(77, root.int64_or("a", 77));
  EXPECT_EQ(77, root.int32_or("b", 77));
  EXPECT_EQ(77, root.int64_or("c", 77));
  EXPECT_EQ(77, root.int64_or("d", 77));
  EXPECT_EQ(77, root.int64_or("e", 77));
  EXPECT_EQ(77, root.int64_or("f", 77));
  EXPECT_EQ(77, root.int64_or("g", 77));
  EXPECT_EQ(77, root.int64_or("absent", 77));
  EXPECT_TRUE(root.bool_or("h", true));
  EXPECT_EQ("none", root.text_or("d", "none"));
}

TEST(JsonReader, EnumsByNameAndOrdinal) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"a":"MULTI_TAG","b":1,"c":"NO_SUCH","d":2,"e":-1})"));
  const Value &root = document.root();
  const std::initializer_list<std::string_view> names = {"SINGLE_TAG", "MULTI_TAG"};
  EXPECT_EQ(1u, root.find("a")->to_enum(names));
  EXPECT_EQ(1u, root.find("b")->to_enum(names));
  EXPECT_EQ(std::nullopt, root.find("c")->to_enum(names));
  EXPECT_EQ(std::nullopt, root.find("d")->to_enum(names));
  EXPECT_EQ(std::nullopt, root.find("e")->to_enum(names));
}

TEST(JsonReader, EscapesAreDecoded) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"k\u0065y":"\"\\\/\b\f\n\r\t\x41\u00e9\u20AC\ud83d\ude00\ud800!\0"})"));
  const std::string expected("\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBD!\0", 23);
  EXPECT_EQ(expected, document.root().text_or("key", ""));
}

TEST(JsonReader, CommentsTrailingCommasAndNullWords) {
  Document document;
  ASSERT_TRUE(document.parse("/* head */{\"a\":[1,2,],// tail\n b:undefined,\"c\":NaN,}"));
  EXPECT_EQ(2u, document.root().find("a")->size());
  EXPECT_TRUE(document.root().find("b")->is_null());
  EXPECT_TRUE(document.root().find("c")->is_null());
}

TEST(JsonReader, TheLastOfRepeatedKeysWins) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"a":1,"a":2})"));
  EXPECT_EQ(2, document.root().int64_or("a", 0));
}

TEST(JsonReader, ADocumentIsReusable) {
  Document document;
  ASSERT_TRUE(document.parse("[1,2,3]"));
  EXPECT_FALSE(document.parse("[1,"));
  ASSERT_TRUE(document.parse(R"({"a":"\n"})"));
  EXPECT_EQ("\n", document.root().text_or("a", ""));
  EXPECT_STREQ("", document.error().what);
}

TEST(JsonReader, BrokenTextIsRefusedWithItsPosition) {
  expect_refused("", "the text ends where a value is expected", 1, 1);
  expect_refused("{\"a\" 1}", "expected ':' after a key", 1, 6);
  expect_refused("{\n \"a\":}", "expected a value", 2, 6);
  expect_refused("{\"a\":1", "expected ',' or '}' in an object", 1, 7);
  expect_refused("{", "the text ends inside an object", 1, 2);
  expect_refused("[", "the text ends inside an array", 1, 2);
  expect_refused("{,}", "expected a key or '}'", 1, 2);
  expect_refused("[1 2]", "expected ',' or ']' in an array", 1, 4);
  expect_refused("\"abc", "a string is not closed", 1, 1);
  expect_refused("\"abc\\\"", "a string is not closed", 1, 1);
  expect_refused("\"\\q\"", "unknown escape in a string", 1, 2);
  expect_refused("\"\\u12g4\"", "expected four hexadecimal digits after \\u", 1, 4);
  expect_refused("word", "expected a value, found an unquoted word", 1, 1);
  expect_refused("12x", "a number is followed by other text", 1, 3);
  expect_refused("-", "expected a digit", 1, 2);
  expect_refused("1e", "expected a digit in the exponent", 1, 3);
  expect_refused("{} {}", "unexpected text after the end of the value", 1, 4);
  expect_refused("/* x", "a comment is not closed", 1, 1);
  expect_refused("/x", "expected a value", 1, 1);
}

TEST(JsonReader, LimitsOfDepthValuesAndBytes) {
  Document document(Limits{.max_depth = 3, .max_values = 6, .max_bytes = 40});
  EXPECT_TRUE(document.parse("[[[1]]]"));
  EXPECT_FALSE(document.parse("[[[[1]]]]"));
  EXPECT_STREQ("nested deeper than the limit", document.error().what);
  EXPECT_FALSE(document.parse("{[[[1]]]:1}"));
  EXPECT_TRUE(document.parse("[1,2,3,4,5]"));
  EXPECT_FALSE(document.parse("[1,2,3,4,5,6]"));
  EXPECT_STREQ("more values than the limit", document.error().what);
  EXPECT_FALSE(document.parse(std::string(41, ' ')));
  EXPECT_STREQ("the text is longer than the limit", document.error().what);
  EXPECT_NE(std::string::npos, document.error().text().find("line 1, column 1: the text is longer"));
}

// Every prefix and every single-byte change of a text with all features: no crash, no read outside (run under ASan), and what is
// accepted can be walked.
TEST(JsonReader, DamagedTextsAreHandled) {
  const std::string text = R"({a:{0:'x'},"b":[1.5e3,-2L,"\u20ac\n",null],{"q":1}:true,/*c*/"d":false})";
  Document document;
  const auto walk = [](auto &&self, const Value &value) -> std::size_t {
    std::size_t n = 1 + value.text().size() + value.key().size();
    for (const Value &child : value) n += self(self, child);
    return n;
  };
  ASSERT_TRUE(document.parse(text));
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(document.parse(std::string(text, 0, i)));
    for (int byte = 0; byte < 256; ++byte) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(byte);
      if (document.parse(damaged)) {
        ++accepted;
        EXPECT_GT(walk(walk, document.root()), 1u);
      } else {
        EXPECT_LE(document.error().offset, damaged.size());
      }
    }
  }
  EXPECT_GT(accepted, text.size());
}

}  // namespace
}  // namespace gantry::remoting::json
