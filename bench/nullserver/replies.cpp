#include "nullserver/replies.hpp"

#include "wire/bytes.hpp"

namespace gantry::bench {

namespace {

constexpr int kPullMessage = static_cast<int>(RequestCode::kPullMessage);
constexpr int kUpdateAndCreateTopic = static_cast<int>(RequestCode::kUpdateAndCreateTopic);
constexpr int kRequestCodeNotSupported = 3;
constexpr int kSendMessageV2 = static_cast<int>(RequestCode::kSendMessageV2);
/// A stored message up to its body length, with IPv4 hosts, and the empty topic and properties behind the body.
constexpr std::size_t kMessageHead = 88;
constexpr std::size_t kMessageTail = 1 + 2;
constexpr std::uint32_t kMagic = 0xDAA320A7u;

std::string make_message(std::uint64_t queue_offset, unsigned body_size) {
  std::string message(kMessageHead + body_size + kMessageTail, '\0');
  store_be32(message.data(), static_cast<std::uint32_t>(message.size()));
  store_be32(message.data() + 4, kMagic);
  store_be64(message.data() + 20, queue_offset);
  store_be32(message.data() + 84, body_size);
  return message;
}

}  // namespace

Replies::Replies(const ReplyOptions &options) : options_(options) {
  for (const HeaderType type : {HeaderType::kJson, HeaderType::kBinary}) {
    Prepared &p = prepared_[static_cast<std::size_t>(type)];
    p.sent = build_response(type, 0, kFirstOpaque, {},
                            {{"MSG_REGION", "DefaultRegion"},
                             {"TRACE_ON", "true"},
                             {"msgId", "7F00000100002A9F0000000000000000"},
                             {"queueId", "0"},
                             {"queueOffset", "0"}},
                            {});
    p.refused = build_response(type, options.refuse_code, kFirstOpaque, "refused as asked by --refuse-every",
                               {{"MSG_REGION", "DefaultRegion"}, {"TRACE_ON", "true"}}, {});
    p.done = build_response(type, 0, kFirstOpaque, {}, {}, {});
    p.unknown = build_response(type, kRequestCodeNotSupported, kFirstOpaque, "request type 17 not supported", {}, {});
  }
}

bool Replies::answer(const FrameView &request, std::string &out) {
  HeaderView header;
  if (!parse_header(request, header)) return false;
  if (header.is_response() || header.is_oneway()) return true;
  if (header.code == kPullMessage) {
    answer_pull(header, out);
    return true;
  }
  const Prepared &p = prepared(header.type);
  const bool is_send = header.code == kSendMessageV2;
  if (is_send) ++sends_;
  const bool refuse = is_send && options_.refuse_every != 0 && sends_ % options_.refuse_every == 0;
  const bool unknown = options_.refuse_admin && header.code == kUpdateAndCreateTopic;
  const BuiltFrame &reply = unknown ? p.unknown : !is_send ? p.done : refuse ? p.refused : p.sent;
  if (header.opaque < kFirstOpaque && header.type == HeaderType::kJson) {
    // Prepared JSON has room for ten digits; other clients count from 0.
    out += build_response(header.type, refuse ? options_.refuse_code : 0, header.opaque, {}, {}, {}).bytes;
    return true;
  }
  const std::size_t at = out.size();
  out += reply.bytes;
  patch_opaque(out.data() + at, reply.opaque_at, header.type, header.opaque);
  return true;
}

void Replies::answer_pull(const HeaderView &request, std::string &out) const {
  const auto field = find_field(request, "queueOffset");
  const auto offset = field ? to_integer(*field).value_or(0) : 0;
  std::string body;
  for (unsigned i = 0; i < options_.pull_messages; ++i) {
    body += make_message(static_cast<std::uint64_t>(offset) + i, options_.pull_size);
  }
  const bool found = options_.pull_messages != 0;
  const Fields fields{{"maxOffset", "1000000000"},
                      {"minOffset", "0"},
                      {"nextBeginOffset", std::to_string(offset + options_.pull_messages)},
                      {"suggestWhichBrokerId", "0"}};
  out += build_response(request.type, found ? 0 : static_cast<int>(ResponseCode::kPullNotFound), request.opaque,
                        found ? "FOUND" : "NO_MESSAGE_IN_QUEUE", fields, body)
             .bytes;
}

}  // namespace gantry::bench
