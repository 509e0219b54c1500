// RocketMQ remoting frames, as far as a load generator needs them.
//
// Frame: 4 bytes length of the rest; 1 byte header type (0 JSON, 1 binary) and 3 bytes header length; header; body.
// All integers are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::bench {

enum class HeaderType : std::uint8_t { kJson = 0, kBinary = 1 };

/// Request codes used here, by RocketMQ's names.
enum class RequestCode : std::uint16_t {
  kPullMessage = 11,
  kUpdateAndCreateTopic = 17,
  kHeartBeat = 34,
  kSendMessageV2 = 310,
};

/// Response codes that this generator tells apart.
enum class ResponseCode : int {
  kSuccess = 0,
  kPullNotFound = 19,
  kPullRetryImmediately = 20,
  kPullOffsetMoved = 21,
};

/// Bytes before the header: length, header type and header length.
inline constexpr std::size_t kFramePrefix = 8;
/// RocketMQ closes connections that announce more than this.
inline constexpr std::size_t kMaxFrame = 16u << 20;

/// One whole frame inside a receive buffer; the views live as long as the buffer's bytes.
struct FrameView {
  HeaderType type = HeaderType::kJson;
  std::string_view header;
  std::string_view body;
  std::size_t size = 0;  ///< bytes of the frame including its length field
};

enum class FrameStatus { kWhole, kIncomplete, kBroken };

/// Cuts the first frame from `bytes`. kBroken: lengths contradict each other or exceed kMaxFrame.
[[nodiscard]] FrameStatus cut_frame(std::string_view bytes, FrameView &frame);

/// The decoded fixed fields of a header. Views point into the frame.
struct HeaderView {
  HeaderType type = HeaderType::kJson;
  int code = -1;
  std::int32_t opaque = 0;
  std::int32_t flag = 0;
  std::string_view remark;
  std::string_view fields;  ///< raw extFields: a JSON object, or the binary key-value list

  [[nodiscard]] bool is_response() const { return (flag & 1) != 0; }
  [[nodiscard]] bool is_oneway() const { return (flag & 2) != 0; }
};

/// Decodes a frame's header. False where the bytes are not a header.
[[nodiscard]] bool parse_header(const FrameView &frame, HeaderView &header);

/// Value of one ext field, without quotes; empty optional when absent.
[[nodiscard]] std::optional<std::string_view> find_field(const HeaderView &header, std::string_view key);

/// A decimal integer; empty optional where `text` is anything else.
[[nodiscard]] std::optional<std::int64_t> to_integer(std::string_view text);

using Fields = std::vector<std::pair<std::string, std::string>>;

/// Opaque numbers of this generator are kFirstOpaque..INT32_MAX: always ten digits, so that a prepared
/// JSON frame can be patched in place.
inline constexpr std::int32_t kFirstOpaque = 1'000'000'000;
inline constexpr std::size_t kOpaqueDigits = 10;

/// A request frame and where its opaque number stands in it.
struct BuiltFrame {
  std::string bytes;
  std::size_t opaque_at = 0;
};

/// Builds a request as the Java client sends it. Fields are written in the given order, which for Java is
/// alphabetical. `opaque` must be at least kFirstOpaque.
[[nodiscard]] BuiltFrame build_request(HeaderType type, RequestCode code, std::int32_t opaque, const Fields &fields,
                                       std::string_view body);

/// Builds a response with the same shape as RocketMQ's.
[[nodiscard]] BuiltFrame build_response(HeaderType type, int code, std::int32_t opaque, std::string_view remark,
                                        const Fields &fields, std::string_view body);

/// Overwrites the opaque number of a prepared frame at `opaque_at`.
void patch_opaque(char *frame, std::size_t opaque_at, HeaderType type, std::int32_t opaque);

/// Writes exactly `digits` decimal digits of `value`, zero-padded on the left.
void write_digits(char *at, std::uint64_t value, std::size_t digits);

}  // namespace gantry::bench
