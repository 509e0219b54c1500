// Members of groups, copied from the broker's sessions.
#pragma once

#include "remoting/client_calls.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gantry::remoting {

inline constexpr std::uint32_t kLanguageCpp = 1;  // RocketMQ's LanguageCode

struct GroupMember {
  ClientAddress address;
  std::string group, client_id, peer;
  std::int64_t seen_ms;
  std::uint32_t language;
  std::int32_t version;
};

// Empty: nobody is connected.
[[nodiscard]] std::vector<GroupMember> consumers_of(const Services &services, std::string_view group);
// An empty group name: the producers of all groups.
[[nodiscard]] std::vector<GroupMember> producers_of(const Services &services, std::string_view group);

}  // namespace gantry::remoting
