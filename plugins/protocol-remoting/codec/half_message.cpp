#include "codec/half_message.hpp"

#include "codec/properties.hpp"
#include "codec/text.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::remoting {

namespace {

constexpr std::size_t kQueueIdAt = 12;
constexpr std::uint32_t kBornIpv6 = 16, kStoreIpv6 = 32;  // bits of sysFlag
constexpr std::size_t kTopicMaxBytes = 127;

}  // namespace

bool as_sent(std::string_view record, std::uint64_t check_number, HalfMessage &out) {
  ByteReader in(record);
  in.skip(36);  // sizes, magic, crc, queue id, flag, queue offset, position
  const std::uint32_t sys_flag = in.u32();
  in.skip(8 + ((sys_flag & kBornIpv6) != 0 ? 20 : 8));
  in.skip(8 + ((sys_flag & kStoreIpv6) != 0 ? 20 : 8));
  in.skip(12);  // reconsume times, prepared position
  in.skip(in.u32());
  const std::size_t body_end = record.size() - in.left();
  in.skip(in.u8());
  const std::string_view properties = in.bytes(in.u16());
  if (in.failed() || !in.at_end()) return false;

  std::string kept;
  std::string_view key, value, entry;
  std::int32_t queue_id = -1;
  out.topic.clear();
  out.unique_key.clear();
  for (PropertyReader reader(properties); reader.next(key, value, entry);) {
    if (is(key, "REAL_TOPIC") && out.topic.empty()) out.topic = value;
    if (is(key, "REAL_QID") && queue_id < 0 && !parse_number(value, queue_id)) return false;
    if (is(key, "UNIQ_KEY")) out.unique_key = value;
    if (is(key, "TRANSACTION_CHECK_TIMES")) continue;
    kept += entry;
    if (kept.back() != '\2') kept += '\2';
  }
  if (out.topic.empty() || out.topic.size() > kTopicMaxBytes || queue_id < 0) return false;
  const std::string times = "TRANSACTION_CHECK_TIMES\1" + std::to_string(check_number) + '\2';
  if (kept.size() + times.size() <= kPropertiesMaxBytes) kept += times;

  out.record.assign(record.substr(0, body_end));
  out.record += static_cast<char>(out.topic.size());
  out.record += out.topic;
  char length[2];
  store_be16(length, static_cast<std::uint16_t>(kept.size()));
  out.record.append(length, sizeof length);
  out.record += kept;
  store_be32(out.record.data(), static_cast<std::uint32_t>(out.record.size()));
  store_be32(out.record.data() + kQueueIdAt, static_cast<std::uint32_t>(queue_id));
  return true;
}

}  // namespace gantry::remoting
