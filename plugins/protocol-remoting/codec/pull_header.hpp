// Fields of PULL_MESSAGE and LITE_PULL_MESSAGE.
#pragma once

#include "codec/header.hpp"

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

inline constexpr std::int32_t kPullCommitOffset = 1;  // bits of sys_flag
inline constexpr std::int32_t kPullSuspend = 2;
inline constexpr std::int32_t kPullSubscription = 4;

struct PullHeader {  // texts are views with the header's lifetime
  std::string_view consumer_group, topic;
  std::string_view subscription;     // with kPullSubscription: the expression to filter by
  std::string_view expression_type;  // "" = TAG
  std::int64_t queue_offset = 0;
  std::int64_t commit_offset = 0;  // with kPullCommitOffset
  std::int64_t suspend_timeout_ms = 0;  // with kPullSuspend
  std::int64_t sub_version = 0;
  std::int32_t queue_id = 0;
  std::int32_t max_msg_nums = 0;
  std::int32_t sys_flag = 0;
  std::int32_t max_msg_bytes = 0;  // 5.x; 0 = no wish
};

// NULL: done; otherwise which mandatory field is missing or which number is none.
[[nodiscard]] const char *decode_pull_header(const Header &header, PullHeader &out);

}  // namespace gantry::remoting
