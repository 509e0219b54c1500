#include "codec/reply_templates.hpp"

#include "codec/codes.hpp"
#include "codec/header.hpp"
#include "codec/text.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/result.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::string_view kJsonTail = ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":409}";
static_assert(kVersion == 409, "the version is part of the text above");
constexpr std::uint32_t kPositionHex = 16;

char *put_be32(char *out, std::uint32_t value) {
  store_be32(out, value);
  return out + 4;
}

// code, language, version, opaque, flag of the binary form.
char *put_binary_head(char *out, std::int32_t code, std::int32_t opaque) {
  store_be16(out, static_cast<std::uint16_t>(code));
  out[2] = static_cast<char>(kLanguageJava);
  store_be16(out + 3, static_cast<std::uint16_t>(kVersion));
  return put_be32(put_be32(out + 5, static_cast<std::uint32_t>(opaque)), kFlagResponse);
}

char *put_binary_key(char *out, std::string_view key) {
  store_be16(out, static_cast<std::uint16_t>(key.size()));
  return put_text(out + 2, key);
}

char *put_binary_number(char *out, std::string_view key, std::int64_t value) {
  char *const length = put_binary_key(out, key);
  char *const end = put_number(length + 4, value);
  (void)put_be32(length, static_cast<std::uint32_t>(end - length - 4));
  return end;
}

void add_binary(std::string &out, std::string_view key, std::string_view value) {
  char numbers[6];
  store_be16(numbers, static_cast<std::uint16_t>(key.size()));
  store_be32(numbers + 2, static_cast<std::uint32_t>(value.size()));
  out.append(numbers, 2).append(key).append(numbers + 2, 4).append(value);
}

std::uint32_t finish(std::uint8_t *out, char *end, SerializeType type, std::uint32_t body_bytes) {
  const auto header_bytes = static_cast<std::uint32_t>(reinterpret_cast<std::uint8_t *>(end) - out) - kFramePrefixBytes;
  store_be32(out, 4 + header_bytes + body_bytes);
  store_be32(out + 4, static_cast<std::uint32_t>(type) << 24 | header_bytes);
  return kFramePrefixBytes + header_bytes;
}

}  // namespace

SendReplyTemplate::SendReplyTemplate(const std::uint8_t *store_ip, std::uint32_t ip_bytes, std::uint32_t store_port,
                                     std::string_view region, bool trace_on)
    : region_(region), trace_on_(trace_on ? "true" : "false") {
  char hex[40];
  GANTRY_ASSERT(ip_bytes == 4 || ip_bytes == 16);
  char *end = hex;
  for (std::uint32_t i = 0; i < ip_bytes; ++i) end = put_hex(end, store_ip[i], 1);
  end = put_hex(end, store_port, 4);
  id_prefix_.assign(hex, end);

  json_after_code_ = ",\"extFields\":{\"MSG_REGION\":\"" + region_ + "\",\"TRACE_ON\":\"" + trace_on_ + "\",\"msgId\":\"" + id_prefix_;
  add_binary(binary_ext_, "MSG_REGION", region_);
  add_binary(binary_ext_, "TRACE_ON", trace_on_);
  add_binary(binary_ext_, "msgId", id_prefix_ + std::string(kPositionHex, '0'));
  binary_ext_.resize(binary_ext_.size() - kPositionHex);
  bound_ = 256 + static_cast<std::uint32_t>(std::max(json_after_code_.size(), binary_ext_.size()));
}

char *SendReplyTemplate::put_json(char *out, const SendReply &reply) const {
  out = put_number(put_text(out, "{\"code\":"), reply.code);
  out = put_text(out, json_after_code_);
  out = put_hex(out, static_cast<std::uint64_t>(reply.log_position), 8);
  out = put_number(put_text(out, "\",\"queueId\":\""), reply.queue_id);
  out = put_number(put_text(out, "\",\"queueOffset\":\""), reply.queue_offset);
  out = put_number(put_text(out, "\"},\"flag\":1,\"language\":\"JAVA\",\"opaque\":"), reply.opaque);
  return put_text(out, kJsonTail);
}

char *SendReplyTemplate::put_binary(char *out, const SendReply &reply) const {
  out = put_be32(put_binary_head(out, reply.code, reply.opaque), 0);
  char *const ext = out + 4;
  char *end = put_text(ext, binary_ext_);
  end = put_hex(end, static_cast<std::uint64_t>(reply.log_position), 8);
  end = put_binary_number(end, "queueId", reply.queue_id);
  end = put_binary_number(end, "queueOffset", reply.queue_offset);
  (void)put_be32(out, static_cast<std::uint32_t>(end - ext));
  return end;
}

std::uint32_t SendReplyTemplate::write(std::uint8_t *out, SerializeType type, const SendReply &reply) const {
  char *const header = reinterpret_cast<char *>(out) + kFramePrefixBytes;
  char *const end = type == SerializeType::kJson ? put_json(header, reply) : put_binary(header, reply);
  return finish(out, end, type, 0);
}

std::uint32_t write_pull_reply(std::uint8_t *out, SerializeType type, const PullReply &reply, std::uint32_t body_bytes) {
  GANTRY_ASSERT(reply.remark.size() <= 64);
  char *p = reinterpret_cast<char *>(out) + kFramePrefixBytes;
  if (type == SerializeType::kJson) {
    p = put_number(put_text(p, "{\"code\":"), reply.code);
    p = put_number(put_text(p, ",\"extFields\":{\"suggestWhichBrokerId\":\"0\",\"nextBeginOffset\":\""), reply.next_offset);
    p = put_number(put_text(p, "\",\"minOffset\":\""), reply.min_offset);
    p = put_number(put_text(p, "\",\"maxOffset\":\""), reply.max_offset);
    p = put_number(put_text(p, "\"},\"flag\":1,\"language\":\"JAVA\",\"opaque\":"), reply.opaque);
    p = put_text(put_text(p, ",\"remark\":\""), reply.remark);
    *p++ = '"';
    p = put_text(p, kJsonTail);
  } else {
    p = put_be32(put_binary_head(p, reply.code, reply.opaque), static_cast<std::uint32_t>(reply.remark.size()));
    p = put_text(p, reply.remark);
    char *const ext = p + 4;
    char *end = put_binary_number(ext, "suggestWhichBrokerId", 0);
    end = put_binary_number(end, "nextBeginOffset", reply.next_offset);
    end = put_binary_number(end, "minOffset", reply.min_offset);
    end = put_binary_number(end, "maxOffset", reply.max_offset);
    (void)put_be32(p, static_cast<std::uint32_t>(end - ext));
    p = end;
  }
  return finish(out, p, type, body_bytes);
}

}  // namespace gantry::remoting
