// Requests and replies of the remoting protocol as bytes, made and read without the code under test.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gantry::test {

using ExtFields = std::map<std::string, std::string>;

struct RequestText {
  int code = 0;
  ExtFields ext{};
  std::string body{};
  int version = 409;
  int opaque = 1;
  int flag = 0;
  bool binary = false;
};
[[nodiscard]] std::string frame_of(const RequestText &request);
// A frame with that header text.
[[nodiscard]] std::string json_frame(const std::string &header, const std::string &body);

struct ReplyText {
  bool binary = false;
  int code = -1, opaque = -1, flag = -1, version = -1;
  std::string remark;
  ExtFields ext;
  std::string body;
};
// The frames in `bytes`; what is not whole or not a frame gives a reply with code -1.
[[nodiscard]] std::vector<ReplyText> read_frames(const std::string &bytes);

}  // namespace gantry::test
