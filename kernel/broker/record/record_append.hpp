// A message laid out as the record that is appended to the store: the one way that records come to be, new or relayed.
#pragma once

#include "kernel/broker/record/key_hash.hpp"
#include "kernel/broker/record/record.hpp"
#include "kernel/broker/registry/topics.hpp"

#include <gantry++/str.hpp>

#include <gantry/draft/store.h>

namespace gantry::broker {

struct NewRecord {
  const Topic *topic = nullptr;
  RecordHeader header{};         // all but total_bytes and body_bytes
  std::string_view body;
  // The property string without CLUSTER, in this order. The first two parts are copied, the others and the body must stay.
  std::string_view lead_props, copied_props, props, more_props;
  std::string_view keys, uniq_key;  // what it is found by
  const gantry_link *links = nullptr;
  std::uint32_t n_links = 1;
  std::uint32_t durability = GANTRY_DURABILITY_DEFAULT;
};

struct RecordSpans {  // of one append; alive during the call
  static constexpr std::uint32_t kBody = 1;  // which of them is the body
  gantry_span spans[5];
};

// Most bytes that lay_out uses of its scratch, apart from lead_props and copied_props: fixed header with two IPv6 hosts, topicLength, topic, propertiesLength and the CLUSTER property.
inline constexpr std::size_t kLayoutBytes = kFixedBytesIpv4 + 2 * kIpv6ExtraBytes + 1 + kMaxTopicBytes + 2 + 300;

// Fills `append` in, user_data apart; what it points to are `out`, `scratch`, the record's own parts, and key hashes that are added to `keys`: point key_hashes
// at them once `keys` grows no more. `scratch` moves behind what was used. LIMIT: topic and properties do not fit into a record.
[[nodiscard]] inline std::int32_t lay_out(const NewRecord &record, std::uint8_t *&scratch, std::vector<std::uint64_t> &keys, RecordSpans *out, gantry_append *append) {
  const std::string &tail = record.topic->tail_prefix;
  const std::size_t name_bytes = record.topic->name.size();
  const std::size_t cluster_bytes = tail.size() - 1 - name_bytes - 2;
  const std::size_t props_bytes = cluster_bytes + record.lead_props.size() + record.copied_props.size() + record.props.size() + record.more_props.size();
  if (props_bytes > kMaxPropertiesBytes) return GANTRY_E_LIMIT;

  RecordHeader header = record.header;
  header.total_bytes = static_cast<std::uint32_t>(fixed_bytes(header.born, header.store) + record.body.size() + 1 + name_bytes + 2 + props_bytes);
  header.body_bytes = static_cast<std::uint32_t>(record.body.size());
  const EncodedHeader encoded = encode_header(header, scratch);
  out->spans[0] = gantry_span{scratch, encoded.bytes, GANTRY_SPAN_WRITABLE, nullptr};
  scratch += encoded.bytes;
  out->spans[RecordSpans::kBody] = span(record.body);
  std::memcpy(scratch, tail.data(), tail.size());
  store_be16(scratch + 1 + name_bytes, static_cast<std::uint16_t>(props_bytes));
  std::size_t tail_bytes = tail.size();
  for (const std::string_view part : {record.lead_props, record.copied_props}) {
    if (part.empty()) continue;
    std::memcpy(scratch + tail_bytes, part.data(), part.size());
    tail_bytes += part.size();
  }
  out->spans[2] = span(scratch, tail_bytes);
  scratch += tail_bytes;
  out->spans[3] = span(record.props);
  out->spans[4] = span(record.more_props);

  *append = gantry_append{};
  append->spans = out->spans;
  append->links = record.links;
  append->store_ms = header.store_ms;
  append->n_spans = record.more_props.empty() ? 4 : 5;
  append->n_links = record.n_links;
  append->bytes = header.total_bytes;
  append->fix_queue_off = kQueueOffsetAt;
  append->fix_phys_off = kPhysicalOffsetAt;
  append->fix_store_ms = encoded.store_ms_at;
  append->durability = record.durability;
  append->n_keys = add_key_hashes(record.topic->name, record.keys, record.uniq_key, keys);
  return GANTRY_OK;
}

}  // namespace gantry::broker
