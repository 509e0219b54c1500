#include "kernel/broker/registry/offsets.hpp"

#include "kernel/broker/meta_rows.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::broker {

std::string encode_offset_key(std::string_view group, std::string_view topic, std::uint32_t queue_no) {
  std::string key(kOffsetRows);
  key.append(group).push_back('\0');
  key.append(topic).push_back('\0');
  key.append(4, '\0');
  store_be32(key.data() + key.size() - 4, queue_no);
  return key;
}

std::string encode_offset_value(std::int64_t offset) {
  std::string value(8, '\0');
  store_be64(value.data(), static_cast<std::uint64_t>(offset));
  return value;
}

Result<OffsetRow> decode_offset(std::string_view key, std::string_view value) {
  const std::size_t group_end = key.find('\0');
  const std::size_t topic_end = group_end == std::string_view::npos ? group_end : key.find('\0', group_end + 1);
  if (topic_end == std::string_view::npos || key.size() != topic_end + 5 || value.size() != 8)
    return Error{GANTRY_E_CORRUPT, "consumer offset row of " + std::to_string(key.size()) + "+" + std::to_string(value.size()) + " bytes has the wrong shape"};
  return OffsetRow{key.substr(0, group_end), key.substr(group_end + 1, topic_end - group_end - 1), load_be32(key.data() + topic_end + 1),
                   static_cast<std::int64_t>(load_be64(value.data()))};
}

}  // namespace gantry::broker
