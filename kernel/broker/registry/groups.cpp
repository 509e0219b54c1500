#include "kernel/broker/registry/groups.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>

namespace gantry::broker {

namespace {

constexpr std::size_t kRowBytes = 37;

std::uint32_t flags_of(const GroupSettings &s) {
  return (s.consume_enabled ? GANTRY_GROUP_CONSUME : 0) | (s.from_min_enabled ? GANTRY_GROUP_FROM_MIN : 0) | (s.broadcast_enabled ? GANTRY_GROUP_BROADCAST : 0) |
         (s.orderly ? GANTRY_GROUP_ORDERLY : 0) | (s.notify_members ? GANTRY_GROUP_NOTIFY : 0);
}

void set_flags(GroupSettings &s, std::uint32_t flags) {
  s.consume_enabled = (flags & GANTRY_GROUP_CONSUME) != 0;
  s.from_min_enabled = (flags & GANTRY_GROUP_FROM_MIN) != 0;
  s.broadcast_enabled = (flags & GANTRY_GROUP_BROADCAST) != 0;
  s.orderly = (flags & GANTRY_GROUP_ORDERLY) != 0;
  s.notify_members = (flags & GANTRY_GROUP_NOTIFY) != 0;
}

}  // namespace

gantry_group_settings Group::info() const {
  gantry_group_settings out{};
  out.size = sizeof out;
  out.flags = flags_of(*this);
  out.name = str(name);
  out.retry_queues = retry_queues;
  out.retry_max_times = retry_max_times;
  out.broker_id = broker_id;
  out.slow_broker_id = slow_broker_id;
  out.sys_flag = sys_flag;
  out.consume_timeout_min = consume_timeout_min;
  return out;
}

GroupSettings settings_of(const gantry_group_settings &info) {
  GroupSettings s;
  set_flags(s, info.flags);
  s.retry_queues = info.retry_queues;
  s.retry_max_times = info.retry_max_times;
  s.broker_id = info.broker_id;
  s.slow_broker_id = info.slow_broker_id;
  s.sys_flag = info.sys_flag;
  s.consume_timeout_min = info.consume_timeout_min;
  return s;
}

std::string encode_group(const GroupSettings &s) {
  if (s == GroupSettings{}) return {};
  std::string row(kRowBytes, '\0');
  char *p = row.data();
  p[0] = 1;
  store_be32(p + 1, flags_of(s));
  store_be32(p + 5, s.retry_queues);
  store_be32(p + 9, s.retry_max_times);
  store_be64(p + 13, static_cast<std::uint64_t>(s.broker_id));
  store_be64(p + 21, static_cast<std::uint64_t>(s.slow_broker_id));
  store_be32(p + 29, s.sys_flag);
  store_be32(p + 33, s.consume_timeout_min);
  return row;
}

Result<GroupSettings> decode_group(std::string_view row) {
  GroupSettings s;
  if (row.empty()) return s;
  ByteReader in(row);
  const std::uint8_t version = in.u8();
  set_flags(s, in.u32());
  s.retry_queues = in.u32();
  s.retry_max_times = in.u32();
  s.broker_id = static_cast<std::int64_t>(in.u64());
  s.slow_broker_id = static_cast<std::int64_t>(in.u64());
  s.sys_flag = in.u32();
  s.consume_timeout_min = in.u32();
  if (in.failed() || version != 1)
    return Error{GANTRY_E_CORRUPT, "group row of version " + std::to_string(version) + " and " + std::to_string(row.size()) + " bytes; this version reads version 1 of " + std::to_string(kRowBytes) + " bytes"};
  return s;
}

}  // namespace gantry::broker
