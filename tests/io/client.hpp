// A blocking client for tests, plain or TLS. Every wait is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::io::test {

std::string frame(std::string_view payload);  // with its length in front

class Client {
 public:
  Client();
  ~Client();
  Client(const Client &) = delete;
  Client(Client &&other) noexcept;

  // host: "127.0.0.1" or "::1". receive_buffer: SO_RCVBUF, 0 = the system's.
  [[nodiscard]] bool connect(std::uint16_t port, const char *host = "127.0.0.1", int receive_buffer = 0);
  [[nodiscard]] bool start_tls();  // accepts any certificate
  [[nodiscard]] bool send(std::string_view bytes);
  [[nodiscard]] bool send_frame(std::string_view payload) { return send(frame(payload)); }
  [[nodiscard]] std::string read(std::size_t n);   // exactly n, or less at the end or after ten seconds
  [[nodiscard]] std::string read_frame();          // payload; empty at the end
  [[nodiscard]] bool at_end();                     // the server closes within ten seconds, nothing more comes
  [[nodiscard]] std::string certificate_name();    // common name of the server's certificate
  [[nodiscard]] int fd() const { return fd_; }
  void close();

 private:
  [[nodiscard]] long read_some(char *p, std::size_t n);
  int fd_ = -1;
  struct Tls;
  std::unique_ptr<Tls> tls_;
};

}  // namespace gantry::io::test
