// The property string of a message: key 0x01 value 0x02 key 0x01 value, with or without the last 0x02.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry::remoting {

inline constexpr std::uint32_t kPropertiesMaxBytes = 32767;

// Walks the entries. Entries without 0x01, with an empty key or an empty value are passed over, as RocketMQ's decoder does.
class PropertyReader {
 public:
  explicit PropertyReader(std::string_view text) : rest_(text) {}

  // False: no further entry. `entry` is the whole entry with its separator, if it has one.
  [[nodiscard]] bool next(std::string_view &key, std::string_view &value, std::string_view &entry);

 private:
  std::string_view rest_;
};

// What a broker must know of a message before storing it.
struct PropertyFacts {
  bool transaction = false;    // TRAN_MSG=true
  bool delayed = false;        // DELAY above 0
  bool timer = false;          // one of 5.x' timer properties, or that of RocketMQ's cloud service
  bool wait_stored = true;     // WAIT, which says whether the sender waits for flush and replica
  bool only_wait = true;       // nothing but WAIT in it
};
[[nodiscard]] PropertyFacts scan_properties(std::string_view text);

}  // namespace gantry::remoting
