// RocketMQ's stored message, version 1: the layout on disk and in pull replies.
//
//   totalSize 4 | magic 4 | bodyCRC 4 | queueId 4 | flag 4 | queueOffset 8 | physicalOffset 8 | sysFlag 4 | bornTimestamp 8 | bornHost 8/20 |
//   storeTimestamp 8 | storeHost 8/20 | reconsumeTimes 4 | preparedTransactionOffset 8 | bodyLength 4 | body | topicLength 1 | topic |
//   propertiesLength 2 | properties
//
// All integers big-endian. The queue offset, the position and the store time are filled in by the store, at the offsets given here.
#pragma once

#include <gantry++/bytes.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gantry::broker {

inline constexpr std::uint32_t kMagicV1 = 0xDAA320A7;
inline constexpr std::uint16_t kQueueOffsetAt = 20;
inline constexpr std::uint16_t kPhysicalOffsetAt = 28;
inline constexpr std::uint32_t kFixedBytesIpv4 = 88;  // up to the body, both hosts IPv4
inline constexpr std::uint32_t kIpv6ExtraBytes = 12;
inline constexpr std::uint32_t kMaxPropertiesBytes = 32767;
inline constexpr std::uint32_t kMaxTopicBytes = 127;
inline constexpr std::uint32_t kSysFlagBornIpv6 = 16;
inline constexpr std::uint32_t kSysFlagStoreIpv6 = 32;
inline constexpr std::uint32_t kSysFlagTransactionMask = 12;
inline constexpr std::uint32_t kSysFlagCommit = 8;

struct HostAddress {
  std::uint8_t ip[16] = {};
  std::uint32_t ip_bytes = 4;  // 4 or 16
  std::uint32_t port = 0;
};

struct RecordHeader {
  std::uint32_t total_bytes, body_crc, queue_no, flag, sys_flags, reconsume_times, body_bytes;
  std::int64_t born_ms, store_ms, prepared_pos;
  HostAddress born, store;
};

// A stored record taken apart. Views go into the record.
struct StoredMessage {
  std::int64_t queue_off = 0, phys_pos = 0, born_ms = 0, store_ms = 0, prepared_pos = 0;
  std::uint32_t total_bytes = 0, body_crc = 0, queue_no = 0, flag = 0, sys_flags = 0, reconsume_times = 0;
  std::uint32_t body_at = 0;  // offset of the body in the record
  HostAddress born, store;
  std::string_view body, topic, props;
};
// False: the bytes are no whole record of version 1.
[[nodiscard]] bool parse_record(std::string_view record, StoredMessage *out);

// Only what filters look at.
struct MessageParts {
  std::string_view body, props;
};
// The same answer as parse_record's, and the same views.
[[nodiscard]] inline bool find_parts(std::string_view record, MessageParts *out) {
  constexpr std::size_t kSysFlagsAt = 36;
  constexpr std::size_t kLengthBytes = 4 + 1 + 2;  // of body, topic and properties
  const auto *const p = reinterpret_cast<const std::uint8_t *>(record.data());
  std::size_t left = record.size();
  if (left < kFixedBytesIpv4 - 4 + kLengthBytes || load_be32(p) != left || load_be32(p + 4) != kMagicV1) return false;
  const std::uint32_t sys_flags = load_be32(p + kSysFlagsAt);
  std::size_t at = kFixedBytesIpv4 + ((sys_flags & kSysFlagBornIpv6) != 0 ? kIpv6ExtraBytes : 0) + ((sys_flags & kSysFlagStoreIpv6) != 0 ? kIpv6ExtraBytes : 0);
  if (left < at - 4 + kLengthBytes) return false;
  const std::size_t body_bytes = load_be32(p + at - 4);
  left -= at;  // from here on the lengths of topic and properties are taken off in advance
  if (body_bytes > left - 3) return false;
  out->body = record.substr(at, body_bytes);
  at += body_bytes;
  left -= body_bytes + 3;
  const std::size_t topic_bytes = p[at];
  if (topic_bytes > left) return false;
  at += 1 + topic_bytes;
  left -= topic_bytes;
  const std::size_t props_bytes = load_be16(p + at);
  if (props_bytes > left) return false;
  out->props = record.substr(at + 2, props_bytes);
  return true;
}

struct EncodedHeader {
  std::uint32_t bytes;
  std::uint16_t store_ms_at;
};

[[nodiscard]] inline std::uint32_t fixed_bytes(const HostAddress &born, const HostAddress &store) {
  return kFixedBytesIpv4 + (born.ip_bytes == 16 ? kIpv6ExtraBytes : 0) + (store.ip_bytes == 16 ? kIpv6ExtraBytes : 0);
}

// Writes everything up to and including the body length. `out` holds at least fixed_bytes().
inline EncodedHeader encode_header(const RecordHeader &h, std::uint8_t *out) {
  std::uint8_t *p = out;
  const auto put32 = [&p](std::uint32_t v) {
    store_be32(p, v);
    p += 4;
  };
  const auto put64 = [&p](std::uint64_t v) {
    store_be64(p, v);
    p += 8;
  };
  const auto put_host = [&p, &put32](const HostAddress &host) {
    std::memcpy(p, host.ip, host.ip_bytes);
    p += host.ip_bytes;
    put32(host.port);
  };
  put32(h.total_bytes);
  put32(kMagicV1);
  put32(h.body_crc);
  put32(h.queue_no);
  put32(h.flag);
  put64(0);  // queue offset
  put64(0);  // physical offset
  std::uint32_t sys_flags = h.sys_flags & ~(kSysFlagBornIpv6 | kSysFlagStoreIpv6);
  if (h.born.ip_bytes == 16) sys_flags |= kSysFlagBornIpv6;
  if (h.store.ip_bytes == 16) sys_flags |= kSysFlagStoreIpv6;
  put32(sys_flags);
  put64(static_cast<std::uint64_t>(h.born_ms));
  put_host(h.born);
  const auto store_ms_at = static_cast<std::uint16_t>(p - out);
  put64(static_cast<std::uint64_t>(h.store_ms));
  put_host(h.store);
  put32(h.reconsume_times);
  put64(static_cast<std::uint64_t>(h.prepared_pos));
  put32(h.body_bytes);
  return {static_cast<std::uint32_t>(p - out), store_ms_at};
}

}  // namespace gantry::broker
