#include "kernel/io/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "kernel/io/address.hpp"

namespace gantry::io {
namespace {

constexpr std::size_t kKeptOutput = 64 * 1024;

std::string openssl_text() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char *reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

Error file_error(const std::string &what, const std::string &file, const char *remedy) {
  return Error{GANTRY_E_CONFIG, "TLS: " + what + " \"" + file + "\": " + openssl_text() + "; " + remedy, 0};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::server(const TlsOptions &options) {
  if (options.certificate_file.empty() || options.key_file.empty())
    return Error{GANTRY_E_CONFIG, "TLS: both a certificate file and a key file are needed; set both or turn TLS off", 0};
  std::shared_ptr<TlsContext> context(new TlsContext);
  context->is_server_ = true;
  context->options_ = options;
  auto native = context->load();
  if (!native) return std::move(native.error());
  context->use(std::move(*native));
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const std::string &ca_file) {
  std::shared_ptr<TlsContext> context(new TlsContext);
  context->ca_file_ = ca_file;
  auto native = context->load();
  if (!native) return std::move(native.error());
  context->use(std::move(*native));
  return context;
}

Result<TlsContext::Native> TlsContext::load() const {
  ERR_clear_error();
  Native native(SSL_CTX_new(is_server_ ? TLS_server_method() : TLS_client_method()), SSL_CTX_free);
  if (native == nullptr) return Error{GANTRY_E_NOMEM, "TLS: no context: " + openssl_text(), 0};
  SSL_CTX_set_min_proto_version(native.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(native.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(native.get(), SSL_MODE_RELEASE_BUFFERS);
  if (is_server_) {
    // Clients without a session id context of ours get a full handshake; tickets keep no state here.
    SSL_CTX_set_session_cache_mode(native.get(), SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(native.get(), options_.certificate_file.c_str()) != 1)
      return file_error("certificate", options_.certificate_file, "give a readable PEM file, leaf certificate first");
    if (SSL_CTX_use_PrivateKey_file(native.get(), options_.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
      return file_error("key", options_.key_file, "give a readable PEM file with the key of the certificate");
    if (SSL_CTX_check_private_key(native.get()) != 1)
      return file_error("key", options_.key_file, "it is not the key of the certificate");
  } else if (!ca_file_.empty()) {
    if (SSL_CTX_load_verify_locations(native.get(), ca_file_.c_str(), nullptr) != 1)
      return file_error("CA file", ca_file_, "give a readable PEM file");
    SSL_CTX_set_verify(native.get(), SSL_VERIFY_PEER, nullptr);
  }
  return native;
}

void TlsContext::use(Native native) {
  const std::lock_guard lock(mutex_);
  native_ = std::move(native);
}

TlsContext::Native TlsContext::native() const {
  const std::lock_guard lock(mutex_);
  return native_;
}

std::unique_ptr<TlsSession> TlsSession::make(const TlsContext &context) {
  const TlsContext::Native native = context.native();
  std::unique_ptr<TlsSession> session(new TlsSession);
  session->ssl_ = SSL_new(native.get());  // keeps its own count on the context
  session->in_ = BIO_new(BIO_s_mem());
  session->out_ = BIO_new(BIO_s_mem());
  if (session->ssl_ == nullptr || session->in_ == nullptr || session->out_ == nullptr) {
    BIO_free(session->in_);
    BIO_free(session->out_);
    return nullptr;
  }
  BIO_set_mem_eof_return(session->in_, -1);
  SSL_set_bio(session->ssl_, session->in_, session->out_);
  return session;
}

std::unique_ptr<TlsSession> TlsSession::server(const TlsContext &context) {
  auto session = make(context);
  if (session != nullptr) SSL_set_accept_state(session->ssl_);
  return session;
}

std::unique_ptr<TlsSession> TlsSession::client(const TlsContext &context, const std::string &host) {
  auto session = make(context);
  if (session == nullptr) return nullptr;
  SSL_set_connect_state(session->ssl_);
  const bool numeric = numeric_address(host, 0).bytes != 0;
  if (!numeric && SSL_set_tlsext_host_name(session->ssl_, host.c_str()) != 1) return nullptr;
  if (!context.verifies()) return session;
  X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl_);
  const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) : X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size());
  return set == 1 ? std::move(session) : nullptr;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::feed(const std::uint8_t *p, std::size_t n) { return BIO_write(in_, p, static_cast<int>(n)) == static_cast<int>(n); }

TlsStep TlsSession::step_of(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return TlsStep::kWantMore;
    case SSL_ERROR_ZERO_RETURN: return TlsStep::kEnd;
    default: error_ = openssl_text(); return TlsStep::kFailed;
  }
}

TlsStep TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? TlsStep::kDone : step_of(result);
}

TlsStep TlsSession::read(std::uint8_t *p, std::size_t n, std::size_t &got) {
  ERR_clear_error();
  got = 0;
  const int result = SSL_read_ex(ssl_, p, n, &got);
  return result == 1 ? TlsStep::kDone : step_of(result);
}

bool TlsSession::write(const std::uint8_t *p, std::size_t n) {
  ERR_clear_error();
  std::size_t written = 0;
  if (n == 0 || (SSL_write_ex(ssl_, p, n, &written) == 1 && written == n)) return true;
  error_ = openssl_text();
  return false;
}

bool TlsSession::has_output() const { return BIO_pending(out_) != 0; }

std::pair<const std::uint8_t *, std::size_t> TlsSession::output() const {
  char *data = nullptr;
  const long n = BIO_get_mem_data(out_, &data);
  return {reinterpret_cast<const std::uint8_t *>(data), n > 0 ? static_cast<std::size_t>(n) : 0};
}

void TlsSession::output_taken() {
  const auto held = output().second;
  if (held <= kKeptOutput) {
    (void)BIO_reset(out_);
    return;
  }
  // A memory BIO never shrinks; a big reply must not stay pinned to an idle connection.
  BIO *fresh = BIO_new(BIO_s_mem());
  if (fresh == nullptr) {
    (void)BIO_reset(out_);
    return;
  }
  SSL_set0_wbio(ssl_, fresh);
  out_ = fresh;
}

void TlsSession::say_goodbye(int fd) {
  if (SSL_is_init_finished(ssl_) != 1) return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
  if (const auto [data, n] = output(); n != 0) (void)::send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace gantry::io
