#include "wire.hpp"

#include <boost/json.hpp>

namespace gantry::test {

namespace {

void put(std::string &out, std::uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint32_t get(const std::string &in, std::size_t at, int bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(in.at(at + static_cast<std::size_t>(i)));
  return value;
}

std::string with_prefix(const std::string &header, const std::string &body, bool binary) {
  std::string out;
  put(out, static_cast<std::uint32_t>(4 + header.size() + body.size()), 4);
  put(out, static_cast<std::uint32_t>(header.size()) | (binary ? 1u << 24 : 0), 4);
  return out + header + body;
}

std::string binary_header(const RequestText &request) {
  std::string ext, out;
  for (const auto &[key, value] : request.ext) {
    put(ext, static_cast<std::uint32_t>(key.size()), 2);
    ext += key;
    put(ext, static_cast<std::uint32_t>(value.size()), 4);
    ext += value;
  }
  put(out, static_cast<std::uint32_t>(request.code), 2);
  put(out, 0, 1);
  put(out, static_cast<std::uint32_t>(request.version), 2);
  put(out, static_cast<std::uint32_t>(request.opaque), 4);
  put(out, static_cast<std::uint32_t>(request.flag), 4);
  put(out, 0, 4);
  put(out, static_cast<std::uint32_t>(ext.size()), 4);
  return out + ext;
}

ReplyText read_json(const std::string &text) {
  const boost::json::object root = boost::json::parse(text).as_object();
  ReplyText reply;
  reply.code = static_cast<int>(root.at("code").as_int64());
  reply.opaque = static_cast<int>(root.at("opaque").as_int64());
  reply.flag = static_cast<int>(root.at("flag").as_int64());
  reply.version = static_cast<int>(root.at("version").as_int64());
  if (const auto *remark = root.if_contains("remark")) reply.remark = remark->as_string().c_str();
  for (const auto &[key, value] : root.at("extFields").as_object()) reply.ext[key] = value.as_string().c_str();
  return reply;
}

ReplyText read_binary(const std::string &bytes) {
  ReplyText reply;
  reply.binary = true;
  reply.code = static_cast<int>(get(bytes, 0, 2));
  reply.version = static_cast<int>(get(bytes, 3, 2));
  reply.opaque = static_cast<int>(get(bytes, 5, 4));
  reply.flag = static_cast<int>(get(bytes, 9, 4));
  std::size_t at = 13;
  const std::size_t remark = get(bytes, at, 4);
  reply.remark = bytes.substr(at + 4, remark);
  at += 4 + remark + 4;
  while (at < bytes.size()) {
    const std::size_t key = get(bytes, at, 2), value = get(bytes, at + 2 + key, 4);
    reply.ext[bytes.substr(at + 2, key)] = bytes.substr(at + 6 + key, value);
    at += 6 + key + value;
  }
  return reply;
}

}  // namespace

std::string json_frame(const std::string &header, const std::string &body) { return with_prefix(header, body, false); }

std::string frame_of(const RequestText &request) {
  if (request.binary) return with_prefix(binary_header(request), request.body, true);
  boost::json::object root{{"code", request.code},     {"language", "JAVA"},    {"version", request.version},
                           {"opaque", request.opaque}, {"flag", request.flag}, {"serializeTypeCurrentRPC", "JSON"}};
  boost::json::object ext;
  for (const auto &[key, value] : request.ext) ext[key] = value;
  root["extFields"] = ext;
  return json_frame(boost::json::serialize(root), request.body);
}

std::vector<ReplyText> read_frames(const std::string &bytes) {
  std::vector<ReplyText> out;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 8 || bytes.size() - at < get(bytes, at, 4) + 4) {
      out.emplace_back();
      break;
    }
    const std::size_t length = get(bytes, at, 4), header_bytes = get(bytes, at + 4, 4) & 0xFFFFFF;
    const std::string header = bytes.substr(at + 8, header_bytes);
    out.push_back(bytes[at + 4] == 1 ? read_binary(header) : read_json(header));
    out.back().body = bytes.substr(at + 8 + header_bytes, length - 4 - header_bytes);
    at += length + 4;
  }
  return out;
}

}  // namespace gantry::test
