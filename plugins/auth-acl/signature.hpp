// RocketMQ's signature: Base64(HMAC-SHA1(secret, content + body)). SHA-1 is the protocol's choice; as a MAC it still holds.
#pragma once

#include <cstdint>
#include <string_view>

namespace gantry::acl {

inline constexpr std::size_t kSignatureBytes = 28;  // Base64 of 20 bytes

// A secret made ready: the states of SHA-1 after the two padded keys, so that a signature hashes nothing but its content and allocates nothing.
class SigningKey {
 public:
  explicit SigningKey(std::string_view secret);
  ~SigningKey();  // wipes
  SigningKey(const SigningKey &) = default;
  SigningKey &operator=(const SigningKey &) = default;

  // [thread: any]
  void sign(std::string_view content, std::string_view body, char out[kSignatureBytes]) const;
  // In constant time for a signature of the right length. [thread: any]
  [[nodiscard]] bool verify(std::string_view content, std::string_view body, std::string_view signature) const;

 private:
  alignas(8) std::uint8_t inner_[96], outer_[96];  // SHA_CTX
};

// Constant-time for texts of one length.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b);

}  // namespace gantry::acl
