// Frames that RocketMQ's own AclClientRPCHook signed (Recorder.java): decoded and verified as the broker does.
#include "signature.hpp"

#include "access/signed_content.hpp"
#include "codec/frame.hpp"
#include "codec/header.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace gantry::acl {
namespace {

using namespace remoting;

std::string from_hex(const std::string &hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

TEST(Recorded, SignaturesOfRocketMQsHook) {
  std::ifstream in(GANTRY_RECORDED);
  ASSERT_TRUE(in) << GANTRY_RECORDED;
  int frames = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream parts(line);
    std::string name, access_key, secret, hex;
    ASSERT_TRUE(std::getline(parts, name, '\t') && std::getline(parts, access_key, '\t') && std::getline(parts, secret, '\t') && std::getline(parts, hex, '\t')) << line;
    SCOPED_TRACE(name);
    const std::string bytes = from_hex(hex);
    Frame frame;
    ASSERT_EQ(split_frame(reinterpret_cast<const std::uint8_t *>(bytes.data()), static_cast<std::uint32_t>(bytes.size()), frame), FrameStatus::kWhole);
    Scratch scratch(kHeaderMaxBytes + kScratchSlack);
    auto header = std::make_unique<Header>();
    ASSERT_EQ(decode_header(frame, scratch, *header), nullptr);
    EXPECT_EQ(header->text("AccessKey"), access_key);
    std::string content;
    append_signed_content(*header, {}, content);
    const SigningKey key(secret);
    EXPECT_TRUE(key.verify(content, frame.body, header->text("Signature"))) << content;
    EXPECT_FALSE(key.verify(content + "x", frame.body, header->text("Signature")));
    EXPECT_FALSE(SigningKey(secret + "x").verify(content, frame.body, header->text("Signature")));
    ++frames;
  }
  EXPECT_GE(frames, 50);
}

}  // namespace
}  // namespace gantry::acl
