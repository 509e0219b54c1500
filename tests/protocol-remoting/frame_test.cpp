#include "codec/frame.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

namespace gantry::remoting {
namespace {

using test::be;

FrameStatus split(const std::string &bytes, Frame &out) {
  return split_frame(reinterpret_cast<const std::uint8_t *>(bytes.data()), static_cast<std::uint32_t>(bytes.size()), out);
}

TEST(Frame, WholeWithHeaderAndBody) {
  Frame f;
  const std::string bytes = test::frame("{}", "body", 0) + "next";
  ASSERT_EQ(split(bytes, f), FrameStatus::kWhole);
  EXPECT_EQ(f.header, "{}");
  EXPECT_EQ(f.body, "body");
  EXPECT_EQ(f.type, SerializeType::kJson);
  EXPECT_EQ(f.total_bytes, bytes.size() - 4);
}

TEST(Frame, WithoutBodyAndBinary) {
  Frame f;
  ASSERT_EQ(split(test::frame("h", "", 1), f), FrameStatus::kWhole);
  EXPECT_EQ(f.type, SerializeType::kBinary);
  EXPECT_TRUE(f.body.empty());
}

TEST(Frame, EveryPrefixIsPartialAndSaysWhatIsNeeded) {
  const std::string whole = test::frame("{\"code\":1}", "body");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    Frame f;
    ASSERT_EQ(split(whole.substr(0, n), f), FrameStatus::kPartial) << n;
    EXPECT_EQ(f.total_bytes, n < 4 ? 0 : whole.size());
  }
}

TEST(Frame, LengthLimits) {
  Frame f;
  EXPECT_EQ(split(be(kFrameMaxBytes - 4, 4), f), FrameStatus::kPartial);
  EXPECT_EQ(f.total_bytes, kFrameMaxBytes);
  EXPECT_EQ(split(be(kFrameMaxBytes - 3, 4), f), FrameStatus::kBad);
  EXPECT_STREQ(f.error, "frame over 16 MiB");
  EXPECT_EQ(split(be(0xFFFFFFFF, 4), f), FrameStatus::kBad);
  EXPECT_EQ(split(be(3, 4), f), FrameStatus::kBad);
  EXPECT_STREQ(f.error, "frame length below 4");
  EXPECT_EQ(split(be(0, 4), f), FrameStatus::kBad);
  EXPECT_EQ(split("GET / HTTP/1.1\r\n", f), FrameStatus::kBad);
}

TEST(Frame, HeaderLimits) {
  Frame f;
  EXPECT_EQ(split(be(10, 4) + be(0, 1) + be(7, 3), f), FrameStatus::kBad);
  EXPECT_STREQ(f.error, "header longer than the frame");
  EXPECT_EQ(split(be(1 << 20, 4) + be(0, 1) + be(kHeaderMaxBytes, 3), f), FrameStatus::kPartial);
  EXPECT_EQ(split(be(1 << 20, 4) + be(0, 1) + be(kHeaderMaxBytes + 1, 3), f), FrameStatus::kBad);
  EXPECT_STREQ(f.error, "header over 64 KiB");
}

TEST(Frame, UnknownSerializeType) {
  Frame f;
  EXPECT_EQ(split(test::frame("{}", "", 2), f), FrameStatus::kBad);
  EXPECT_STREQ(f.error, "unknown serialize type");
}

}  // namespace
}  // namespace gantry::remoting
