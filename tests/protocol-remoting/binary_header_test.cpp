#include "codec/header.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

using test::be;

TEST(BinaryHeader, JavaSendV2) {
  const std::string bytes = test::binary_header(310, -5, {{"a", "g"}, {"b", "T"}, {"i", "K\1V\2"}, {"bname", "b"}}, 2, "note");
  Header h;
  ASSERT_EQ(decode_binary_header(bytes, h), nullptr);
  EXPECT_EQ(h.type, SerializeType::kBinary);
  EXPECT_EQ(h.code, 310);
  EXPECT_EQ(h.version, 409);
  EXPECT_EQ(h.opaque, -5);
  EXPECT_TRUE(h.is_oneway());
  EXPECT_EQ(h.remark, "note");
  EXPECT_EQ(h.text("i"), "K\1V\2");
  EXPECT_EQ(h.text("bname"), "b");
}

TEST(BinaryHeader, EmptyValueIsAbsentAndLastKeyWins) {
  const std::string bytes = test::binary_header(1, 1, {{"x1", "old"}, {"x1", "new"}, {"y1", ""}});
  Header h;
  ASSERT_EQ(decode_binary_header(bytes, h), nullptr);
  EXPECT_EQ(h.text("x1"), "new");
  EXPECT_EQ(h.find("y1"), nullptr);
}

TEST(BinaryHeader, EveryTruncationIsRefused) {
  const std::string whole = test::binary_header(310, 1, {{"a", "g"}, {"topic", "T"}}, 0, "r");
  Header h;
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_NE(decode_binary_header(whole.substr(0, n), h), nullptr) << n;
  EXPECT_EQ(decode_binary_header(whole, h), nullptr);
}

TEST(BinaryHeader, WrongInnerLengthsAreRefused) {
  const std::string head = be(11, 2) + be(0, 1) + be(409, 2) + be(1, 4) + be(0, 4);
  Header h;
  for (const std::string &rest : {be(0xFFFFFFFF, 4), be(0, 4) + be(0x7FFFFFFF, 4), be(0, 4) + be(0xFFFFFFFF, 4),
                                  be(0, 4) + be(2, 4) + be(5, 2), be(0, 4) + be(2, 4) + be(0xFFFF, 2),
                                  be(0, 4) + be(7, 4) + be(1, 2) + "k" + be(1, 4), be(0, 4) + be(7, 4) + be(1, 2) + "k" + be(0xFFFFFFFF, 4)})
    EXPECT_NE(decode_binary_header(head + rest, h), nullptr);
}

TEST(BinaryHeader, NumberOfKeysIsLimited) {
  test::Fields fields;
  for (int i = 0; i < 128; ++i) fields.emplace_back("key" + std::to_string(i), "v");
  Header h;
  EXPECT_EQ(decode_binary_header(test::binary_header(1, 1, fields), h), nullptr);
  fields.emplace_back("one-more", "v");
  EXPECT_STREQ(decode_binary_header(test::binary_header(1, 1, fields), h), "binary header: over 128 ext fields");
}

}  // namespace
}  // namespace gantry::remoting
