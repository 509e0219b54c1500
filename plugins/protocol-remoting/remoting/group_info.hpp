// What tools ask about groups and topics: 203, 204, 300, 328, 343, 345 and 21, 305, 351. Answered at once from what the broker knows.
#pragma once

#include "json/writer.hpp"
#include "remoting/request.hpp"

#include <string_view>
#include <vector>

namespace gantry::remoting {

// The tags of "a || b"; none for "*".
[[nodiscard]] std::vector<std::string_view> tags_of(std::string_view expression);
// A SubscriptionData.
void put_subscription(json::Writer &json, const gantry_subscription &subscription);
// Connections and subscriptions of groups. False: not one of these requests; nothing was answered.
[[nodiscard]] bool tell_group_info(ShardContext &ctx, const Request &request);
// Settings of topics. False: as above.
[[nodiscard]] bool tell_topic_info(ShardContext &ctx, const Request &request);

}  // namespace gantry::remoting
