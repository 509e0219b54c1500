// TLS as a transformation of bytes: what the socket delivered goes in, plain bytes come out, and the other way round. OpenSSL 3.
// No sockets here, so limits, back-pressure and flushing are the same with and without TLS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gantry++/result.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "kernel/io/options.hpp"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;
using BIO = struct bio_st;

namespace gantry::io {

// Certificates and settings; handshakes that began keep the ones they began with. All: [thread: any]
class TlsContext {
 public:
  [[nodiscard]] static Result<std::shared_ptr<TlsContext>> server(const TlsOptions &options);
  // Verifies servers against ca_file, or not at all when it is empty.
  [[nodiscard]] static Result<std::shared_ptr<TlsContext>> client(const std::string &ca_file);

  using Native = std::shared_ptr<SSL_CTX>;
  // The files as they are now, not yet in use.
  [[nodiscard]] Result<Native> load() const;
  void use(Native native);
  [[nodiscard]] Native native() const;
  [[nodiscard]] bool verifies() const { return !ca_file_.empty(); }

 private:
  TlsContext() = default;
  bool is_server_ = false;
  TlsOptions options_;
  std::string ca_file_;
  mutable std::mutex mutex_;  // guards native_; a leaf
  Native native_;
};

enum class TlsStep : std::uint8_t { kDone, kWantMore, kEnd, kFailed };

// One connection's. Used by its shard only.
class TlsSession {
 public:
  [[nodiscard]] static std::unique_ptr<TlsSession> server(const TlsContext &context);                          // null: no memory
  [[nodiscard]] static std::unique_ptr<TlsSession> client(const TlsContext &context, const std::string &host);  // null: no memory, bad name
  ~TlsSession();
  TlsSession(const TlsSession &) = delete;
  TlsSession &operator=(const TlsSession &) = delete;

  [[nodiscard]] bool feed(const std::uint8_t *p, std::size_t n);  // bytes from the socket; false: no memory
  [[nodiscard]] TlsStep handshake();
  // kDone: `got` plain bytes, there may be more. kEnd: the peer said goodbye.
  [[nodiscard]] TlsStep read(std::uint8_t *p, std::size_t n, std::size_t &got);
  [[nodiscard]] bool write(const std::uint8_t *p, std::size_t n);
  [[nodiscard]] bool has_output() const;
  [[nodiscard]] std::pair<const std::uint8_t *, std::size_t> output() const;  // for the socket; valid until the next call
  void output_taken();
  void say_goodbye(int fd);  // one attempt to send close_notify
  [[nodiscard]] const std::string &error() const { return error_; }

 private:
  TlsSession() = default;
  [[nodiscard]] static std::unique_ptr<TlsSession> make(const TlsContext &context);
  [[nodiscard]] TlsStep step_of(int result);

  SSL *ssl_ = nullptr;
  BIO *in_ = nullptr, *out_ = nullptr;  // owned by ssl_
  std::string error_;
};

}  // namespace gantry::io
