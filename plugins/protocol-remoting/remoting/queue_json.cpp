#include "remoting/queue_json.hpp"

#include "codec/codes.hpp"
#include "remoting/group_info.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <cstdio>

namespace gantry::remoting {

bool find_topic_info(ShardContext &ctx, std::string_view name, gantry_topic_info &out) {
  out = gantry_topic_info{};
  out.size = sizeof out;
  return ctx.services.broker->topic_find(ctx.services.host, str(name), &out) == GANTRY_OK;
}

void refuse_topic(ShardContext &ctx, const Request &request, std::string_view name) {
  ctx.output.reply(request.to(), kTopicNotExist, "topic[" + shown(name) + "] not exist");
}

gantry_queue_stat queue_stat_of(ShardContext &ctx, gantry_topic topic, std::uint32_t queue_no) {
  gantry_queue_stat stat{};
  (void)ctx.services.broker->queue_stat(ctx.services.host, topic, queue_no, &stat);
  return stat;
}

std::string queue_key(ShardContext &ctx, std::string_view topic, std::uint32_t queue_no) {
  std::string out;
  json::Writer(out).begin_object().member("brokerName", ctx.settings.broker_name).member("queueId", queue_no).member("topic", topic).end_object();
  return out;
}

void put_progress(json::Writer &json, const std::string &key, std::int64_t end, std::int64_t committed, std::int64_t last_ms) {
  json.raw_key(key).begin_object().member("brokerOffset", end).member("consumerOffset", std::max<std::int64_t>(committed, 0));
  json.member("lastTimestamp", last_ms).end_object();
}

std::int32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  const auto add = [&hash](std::uint32_t unit) { hash = 31 * hash + unit; };
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = n == 1 ? lead : lead & (0xFFu >> (n + 1));
    for (std::size_t k = 1; k < n; ++k) point = point << 6 | (i + k < text.size() ? static_cast<std::uint8_t>(text[i + k]) & 0x3Fu : 0);
    i += n;
    if (point < 0x10000) {
      add(point);
    } else {
      add(0xD800 + ((point - 0x10000) >> 10));
      add(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return static_cast<std::int32_t>(hash);
}

TagFilter filter_of(ShardContext &ctx, std::string_view group, std::string_view topic, std::string &subscription) {
  struct Sink {
    std::string_view topic;
    std::string &text;
    TagFilter filter;
  } sink{topic, subscription, {}};
  const gantry_consumer_fn look = [](void *arg, const gantry_consumer *c) noexcept {
    auto &s = *static_cast<Sink *>(arg);
    for (std::uint32_t i = 0; i < c->n_subscriptions; ++i) {
      const gantry_subscription &each = c->subscriptions[i];
      if (view(each.topic) != s.topic) continue;
      s.text.clear();
      json::Writer json(s.text);
      put_subscription(json, each);
      s.filter.any = each.expr_type.n != 0 && view(each.expr_type) != "TAG";
      s.filter.codes.clear();
      const std::vector<std::string_view> tags = tags_of(view(each.expr));
      for (const std::string_view tag : tags) s.filter.codes.push_back(java_hash(tag));
      s.filter.any = s.filter.any || tags.empty();
    }
  };
  if (!group.empty()) (void)ctx.services.session->consumer_group(ctx.services.host, str(group), look, nullptr, &sink);
  return std::move(sink.filter);
}

double per_second(const gantry_stat_span &span) { return span.span_ms > 0 ? static_cast<double>(span.messages) * 1000 / static_cast<double>(span.span_ms) : 0; }

std::string fraction(double value) {
  char text[64];
  const int n = std::snprintf(text, sizeof text, "%.2f", value);
  return std::string(text, static_cast<std::size_t>(n));
}

}  // namespace gantry::remoting
