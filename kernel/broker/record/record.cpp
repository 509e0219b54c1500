#include "kernel/broker/record/record.hpp"

namespace gantry::broker {

namespace {

HostAddress read_host(ByteReader &in, bool ipv6) {
  HostAddress out;
  out.ip_bytes = ipv6 ? 16 : 4;
  const std::string_view ip = in.bytes(out.ip_bytes);
  if (!ip.empty()) std::memcpy(out.ip, ip.data(), ip.size());  // a record that ends before it has none
  out.port = in.u32();
  return out;
}

}  // namespace

bool parse_record(std::string_view record, StoredMessage *out) {
  ByteReader in(record);
  StoredMessage &m = *out;
  m.total_bytes = in.u32();
  const std::uint32_t magic = in.u32();
  m.body_crc = in.u32();
  m.queue_no = in.u32();
  m.flag = in.u32();
  m.queue_off = in.i64();
  m.phys_pos = in.i64();
  m.sys_flags = in.u32();
  m.born_ms = in.i64();
  m.born = read_host(in, (m.sys_flags & kSysFlagBornIpv6) != 0);
  m.store_ms = in.i64();
  m.store = read_host(in, (m.sys_flags & kSysFlagStoreIpv6) != 0);
  m.reconsume_times = in.u32();
  m.prepared_pos = in.i64();
  const std::uint32_t body_bytes = in.u32();
  m.body_at = static_cast<std::uint32_t>(record.size() - in.left());
  m.body = in.bytes(body_bytes);
  m.topic = in.bytes(in.u8());
  m.props = in.bytes(in.u16());
  return !in.failed() && magic == kMagicV1 && m.total_bytes == record.size();
}

}  // namespace gantry::broker
