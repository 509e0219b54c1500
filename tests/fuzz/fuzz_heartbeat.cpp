// JSON bodies of HEART_BEAT, CHECK_CLIENT_CONFIG, LOCK_BATCH_MQ and UNLOCK_BATCH_MQ: byte 0 picks the request, the rest is the body.
#include "protocol-remoting/wire.hpp"
#include "remoting_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static gantry::remoting::test::RemotingWorld world;
  if (size == 0) return 0;
  static constexpr std::int32_t kCodes[] = {34, 46, 41, 42};
  const std::string_view body(reinterpret_cast<const char *>(data) + 1, size - 1);
  const std::string bytes = gantry::remoting::test::frame(gantry::remoting::test::java_header(kCodes[data[0] % 4], 1, {}), body);
  world.connection(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size(), bytes.size(), UINT32_MAX);
  return 0;
}
