#include "codec/pull_header.hpp"

#include "codec/text.hpp"

namespace gantry::remoting {

namespace {

// In the order of the names below; bit i of the mask = field i was there.
enum Slot {
  kGroup, kTopic, kQueueId, kQueueOffset, kMaxMsgNums, kSysFlag, kCommitOffset, kSuspend, kSubVersion, kMandatoryCount,
  kSubscription = kMandatoryCount, kExpressionType, kMaxMsgBytes, kSlots
};
constexpr std::string_view kNames[kSlots] = {"consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums", "sysFlag",
                                             "commitOffset", "suspendTimeoutMillis", "subVersion", "subscription",
                                             "expressionType", "maxMsgBytes"};
constexpr const char *kWrong[kSlots] = {
    "field consumerGroup is missing",
    "field topic is missing",
    "field queueId is missing or no int32",
    "field queueOffset is missing or no int64",
    "field maxMsgNums is missing or no int32",
    "field sysFlag is missing or no int32",
    "field commitOffset is missing or no int64",
    "field suspendTimeoutMillis is missing or no int64",
    "field subVersion is missing or no int64",
    "field subscription is damaged",
    "field expressionType is damaged",
    "field maxMsgBytes is no int32",
};

}  // namespace

const char *decode_pull_header(const Header &header, PullHeader &out) {
  std::string_view values[kSlots];
  std::uint32_t set = 0;
  for (std::uint32_t i = 0; i < header.n_ext; ++i) {
    const std::string_view key = header.ext[i].key;
    for (int slot = 0; slot < kSlots; ++slot) {
      if (kNames[slot].size() != key.size() || kNames[slot] != key) continue;
      values[slot] = header.ext[i].value;
      set |= 1u << slot;
      break;
    }
  }
  constexpr std::uint32_t kMandatory = (1u << kMandatoryCount) - 1;
  if (const std::uint32_t missing = kMandatory & ~set; missing != 0) return kWrong[__builtin_ctz(missing)];
  out.consumer_group = values[kGroup];
  out.topic = values[kTopic];
  out.subscription = values[kSubscription];
  out.expression_type = values[kExpressionType];
  if (!parse_number(values[kQueueId], out.queue_id)) return kWrong[kQueueId];
  if (!parse_number(values[kQueueOffset], out.queue_offset)) return kWrong[kQueueOffset];
  if (!parse_number(values[kMaxMsgNums], out.max_msg_nums)) return kWrong[kMaxMsgNums];
  if (!parse_number(values[kSysFlag], out.sys_flag)) return kWrong[kSysFlag];
  if (!parse_number(values[kCommitOffset], out.commit_offset)) return kWrong[kCommitOffset];
  if (!parse_number(values[kSuspend], out.suspend_timeout_ms)) return kWrong[kSuspend];
  if (!parse_number(values[kSubVersion], out.sub_version)) return kWrong[kSubVersion];
  out.max_msg_bytes = 0;
  if ((set & 1u << kMaxMsgBytes) != 0 && !parse_number(values[kMaxMsgBytes], out.max_msg_bytes)) return kWrong[kMaxMsgBytes];
  return nullptr;
}

}  // namespace gantry::remoting
