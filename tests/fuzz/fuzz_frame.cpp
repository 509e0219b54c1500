// A connection's whole input to the remoting component. Byte 0: size of the pieces; byte 1: how much the broker takes at once.
#include "remoting_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static gantry::remoting::test::RemotingWorld world;
  if (size < 2) return 0;
  const std::size_t piece = data[0] == 0 ? size : data[0] * 16;
  world.connection(data + 2, size - 2, piece, data[1] == 0 ? UINT32_MAX : data[1]);
  return 0;
}
