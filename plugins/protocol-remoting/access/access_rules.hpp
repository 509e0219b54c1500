// The table access.inc: what each request needs.
#pragma once

#include <cstdint>
#include <span>

namespace gantry::remoting {

enum class NameSource : std::uint8_t { kSigned, kField, kFieldIfGiven, kAckTopic, kSendTopic, kWhole, kBody, kBodyList, kHeartbeat, kLock, kAcks };

struct AccessRule {
  std::int32_t code;
  std::uint32_t resource_type;  // GANTRY_RESOURCE_*
  NameSource source;
  const char *field;
  std::uint32_t actions;  // GANTRY_ACTION_*
};

// Rules of a code; none: the table does not know it.
[[nodiscard]] std::span<const AccessRule> access_rules(std::int32_t code);
[[nodiscard]] std::span<const AccessRule> all_access_rules();

}  // namespace gantry::remoting
