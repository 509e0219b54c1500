#include <gantry++/bytes.hpp>

#include <gtest/gtest.h>

namespace gantry {
namespace {

using std::string_view_literals::operator""sv;

TEST(ByteReader, ReadsBigEndianForward) {
  ByteReader in("\x01\x02\x03\x04\x05\x06\x07\xff\xff\xff\xfftail"sv);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.i32(), -1);
  EXPECT_EQ(in.bytes(4), "tail");
  EXPECT_TRUE(in.at_end());
  EXPECT_FALSE(in.failed());
}

TEST(ByteReader, AReadPastTheEndFailsAndStaysFailed) {
  ByteReader in("\x01\x02"sv);
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_TRUE(in.failed());
  EXPECT_EQ(in.u8(), 0);  // although a byte would be there
  EXPECT_EQ(in.bytes(1), "");
}

TEST(ByteReader, AClaimedLengthBeyondTheEndIsNoOverflow) {
  ByteReader in("abc"sv);
  EXPECT_EQ(in.bytes(static_cast<std::size_t>(-1)), "");
  EXPECT_TRUE(in.failed());
}

TEST(BigEndian, StoresWhatItLoads) {
  char room[8];
  store_be64(room, 0x0102030405060708u);
  EXPECT_EQ(room[0], 1);
  EXPECT_EQ(load_be64(room), 0x0102030405060708u);
  store_be16(room, 0xFFFE);
  EXPECT_EQ(load_be16(room), 0xFFFE);
}

}  // namespace
}  // namespace gantry
