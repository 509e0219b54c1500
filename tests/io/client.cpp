#include "tests/io/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gantry++/bytes.hpp>
#include <utility>

namespace gantry::io::test {

std::string frame(std::string_view payload) {
  std::string out(4, '\0');
  store_be32(out.data(), static_cast<std::uint32_t>(payload.size()));
  return out.append(payload);
}

struct Client::Tls {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  ~Tls() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
};

Client::Client() = default;

Client::~Client() { close(); }

Client::Client(Client &&other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}

void Client::close() {
  tls_.reset();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool Client::connect(std::uint16_t port, const char *host, int receive_buffer) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const bool is_v6 = inet_pton(AF_INET, host, &v4.sin_addr) != 1;
  if (is_v6 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) return false;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  fd_ = ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{10, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (receive_buffer != 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return is_v6 ? ::connect(fd_, reinterpret_cast<sockaddr *>(&v6), sizeof v6) == 0 : ::connect(fd_, reinterpret_cast<sockaddr *>(&v4), sizeof v4) == 0;
}

bool Client::start_tls() {
  tls_ = std::make_unique<Tls>();
  SSL_set_fd(tls_->ssl, fd_);
  return SSL_connect(tls_->ssl) == 1;
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long n = tls_ != nullptr ? SSL_write(tls_->ssl, bytes.data(), static_cast<int>(bytes.size())) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

long Client::read_some(char *p, std::size_t n) {
  return tls_ != nullptr ? SSL_read(tls_->ssl, p, static_cast<int>(n)) : ::recv(fd_, p, n, 0);
}

std::string Client::read(std::size_t n) {
  std::string out(n, '\0');
  std::size_t held = 0;
  while (held < n) {
    const long got = read_some(out.data() + held, n - held);
    if (got <= 0) break;
    held += static_cast<std::size_t>(got);
  }
  out.resize(held);
  return out;
}

std::string Client::read_frame() {
  const std::string head = read(4);
  return head.size() < 4 ? std::string() : read(load_be32(head.data()));
}

bool Client::at_end() {
  char byte;
  const long got = read_some(&byte, 1);
  return got == 0 || (got < 0 && (tls_ != nullptr || errno == ECONNRESET || errno == EPIPE));
}

std::string Client::certificate_name() {
  X509 *certificate = SSL_get1_peer_certificate(tls_->ssl);
  if (certificate == nullptr) return {};
  char name[128] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

}  // namespace gantry::io::test
