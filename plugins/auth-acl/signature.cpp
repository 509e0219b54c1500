// The EVP interface of OpenSSL 3 copies a prepared key by allocating; these functions copy 96 bytes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

namespace gantry::acl {
namespace {

constexpr std::size_t kBlockBytes = SHA_CBLOCK;
static_assert(sizeof(SHA_CTX) == 96);

void prepare(const std::uint8_t (&key)[kBlockBytes], std::uint8_t pad, std::uint8_t *out) {
  std::uint8_t block[kBlockBytes];
  for (std::size_t i = 0; i < kBlockBytes; ++i) block[i] = key[i] ^ pad;
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, block, sizeof block);
  std::memcpy(out, &state, sizeof state);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(&state, sizeof state);
}

}  // namespace

SigningKey::SigningKey(std::string_view secret) {
  std::uint8_t key[kBlockBytes] = {};
  if (secret.size() > kBlockBytes)
    SHA1(reinterpret_cast<const std::uint8_t *>(secret.data()), secret.size(), key);
  else
    std::copy(secret.begin(), secret.end(), key);
  prepare(key, 0x36, inner_);
  prepare(key, 0x5C, outer_);
  OPENSSL_cleanse(key, sizeof key);
}

SigningKey::~SigningKey() {
  OPENSSL_cleanse(inner_, sizeof inner_);
  OPENSSL_cleanse(outer_, sizeof outer_);
}

void SigningKey::sign(std::string_view content, std::string_view body, char out[kSignatureBytes]) const {
  std::uint8_t digest[SHA_DIGEST_LENGTH];
  SHA_CTX state;
  std::memcpy(&state, inner_, sizeof state);
  SHA1_Update(&state, content.data(), content.size());
  SHA1_Update(&state, body.data(), body.size());
  SHA1_Final(digest, &state);
  std::memcpy(&state, outer_, sizeof state);
  SHA1_Update(&state, digest, sizeof digest);
  SHA1_Final(digest, &state);
  std::uint8_t text[kSignatureBytes + 1];  // OpenSSL ends it with a zero
  EVP_EncodeBlock(text, digest, sizeof digest);
  std::memcpy(out, text, kSignatureBytes);
}

bool SigningKey::verify(std::string_view content, std::string_view body, std::string_view signature) const {
  char expected[kSignatureBytes];
  sign(content, body, expected);
  return same_secret({expected, sizeof expected}, signature);
}

bool same_secret(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace gantry::acl
