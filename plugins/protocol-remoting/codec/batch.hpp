// Body of SEND_BATCH_MESSAGE: sub messages back to back, without a count. Each: int32 total size, int32 magic and int32 CRC (both
// ignored), int32 flag, int32 body length, body, int16 properties length, properties.
#pragma once

#include <gantry++/bytes.hpp>

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

struct BatchItem {  // views into the batch body
  std::string_view body, properties;
  std::int32_t flag = 0;
};

class BatchReader {
 public:
  explicit BatchReader(std::string_view body) : in_(body) {}

  [[nodiscard]] bool at_end() const { return in_.at_end(); }
  // False: damaged; the batch must be refused as a whole.
  [[nodiscard]] bool next(BatchItem &out);

 private:
  ByteReader in_;
};

// Number of sub messages; -1 when any is damaged, 0 for an empty body.
[[nodiscard]] std::int32_t count_batch(std::string_view body);

}  // namespace gantry::remoting
