// What plugins and expressions cost: 900001, a request of Gantry's own.
#include "codec/codes.hpp"
#include "json/writer.hpp"
#include "remoting/admin_requests.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/usage.h>

namespace gantry::remoting {

namespace {

constexpr std::size_t kShownBytes = 512;  // of an expression

struct Rows {
  json::Writer json;
  std::size_t n = 0;

  static void add(void *arg, const gantry_usage *row) noexcept {
    auto &self = *static_cast<Rows *>(arg);
    ++self.n;
    const bool expression = row->function.n == 0;
    self.json.begin_object().member("plugin", view(row->plugin)).member("kind", view(row->kind));
    if (expression)
      self.json.member("type", view(row->expr_type)).member("expression", view(row->expr).substr(0, kShownBytes));
    else
      self.json.member("function", view(row->function));
    self.json.member("calls", row->calls).member("items", row->items).member("errors", row->errors).member("ns", row->ns).member("longest_ns", row->longest_ns).member("bytes", row->bytes);
    if (expression) self.json.member("matched", row->matched).member("users", row->users).member("suspended", (row->flags & GANTRY_USAGE_SUSPENDED) != 0).member("reason", view(row->reason));
    self.json.end_object();
  }
};

}  // namespace

void tell_usage(ShardContext &ctx, const Request &request) {
  const auto *usage = static_cast<const gantry_usage_v1 *>(ctx.services.host->query(ctx.services.host, GANTRY_USAGE_ID));
  if (usage == nullptr) return ctx.output.reply(request.to(), kRequestCodeNotSupported, "this process counts no use of plugins");
  std::string body;
  Rows rows{json::Writer(body)};
  rows.json.begin_object().member("schema", 1).key("rows").begin_array();
  usage->each(ctx.services.host, Rows::add, &rows);
  rows.json.end_array().end_object();
  ctx.output.reply(request.to(), kSuccess, {}, nullptr, 0, body);
}

}  // namespace gantry::remoting
