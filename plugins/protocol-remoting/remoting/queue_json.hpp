// What the answers to tools have in common: topics, queues and progress as Java reads them.
#pragma once

#include "json/writer.hpp"
#include "remoting/request.hpp"

#include <gantry/draft/admin.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::remoting {

[[nodiscard]] bool find_topic_info(ShardContext &ctx, std::string_view name, gantry_topic_info &out);
void refuse_topic(ShardContext &ctx, const Request &request, std::string_view name);
// Zeros for a queue never used.
[[nodiscard]] gantry_queue_stat queue_stat_of(ShardContext &ctx, gantry_topic topic, std::uint32_t queue_no);
// A MessageQueue, the key of the maps that Java reads.
[[nodiscard]] std::string queue_key(ShardContext &ctx, std::string_view topic, std::uint32_t queue_no);
// An OffsetWrapper under that key. committed < 0: nothing.
void put_progress(json::Writer &json, const std::string &key, std::int64_t end, std::int64_t committed, std::int64_t last_ms);
// Whether entries of a queue pass a filter by tags; other kinds of filters let every entry pass, for they look at the message.
struct TagFilter {
  bool any = true;
  std::vector<std::int64_t> codes;
  [[nodiscard]] bool passes(std::int64_t code) const { return any || std::find(codes.begin(), codes.end(), code) != codes.end(); }
};
// Of what a group registered for a topic, with its SubscriptionData; everything passes, and the text stays empty, when it registered nothing.
[[nodiscard]] TagFilter filter_of(ShardContext &ctx, std::string_view group, std::string_view topic, std::string &subscription);
// Java's String.hashCode of UTF-8 text.
[[nodiscard]] std::int32_t java_hash(std::string_view text);
// Messages per second; 0 when nothing was observed.
[[nodiscard]] double per_second(const gantry_stat_span &span);
// A number with two digits after the point, as JSON and properties take it.
[[nodiscard]] std::string fraction(double value);

}  // namespace gantry::remoting
