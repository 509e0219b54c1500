// The null server's prepared replies.
#pragma once

#include <cstdint>
#include <string>

#include "wire/frame.hpp"

namespace gantry::bench {

struct ReplyOptions {
  int refuse_code = 2;
  std::uint64_t refuse_every = 0;  ///< refuse each n-th send; 0 = none
  bool refuse_admin = false;       ///< answer UPDATE_AND_CREATE_TOPIC as a broker that does not know it
  unsigned pull_messages = 32;     ///< messages in a pull reply; 0 = code 19
  unsigned pull_size = 128;        ///< body bytes of each
};

/// Answers requests from prepared bytes. One thread.
class Replies {
 public:
  explicit Replies(const ReplyOptions &options);

  /// Appends the reply to one request frame to `out`; responses and oneway requests get none.
  /// False where the header cannot be read.
  [[nodiscard]] bool answer(const FrameView &request, std::string &out);

 private:
  struct Prepared {
    BuiltFrame sent;
    BuiltFrame refused;
    BuiltFrame done;
    BuiltFrame unknown;
  };
  [[nodiscard]] const Prepared &prepared(HeaderType type) const { return prepared_[static_cast<std::size_t>(type)]; }
  void answer_pull(const HeaderView &request, std::string &out) const;

  ReplyOptions options_;
  Prepared prepared_[2];
  std::uint64_t sends_ = 0;
};

}  // namespace gantry::bench
