// Input: one recv per ready socket and turn into the shard's scratch memory; only the start of an incomplete frame is kept.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/tls.hpp"
#include "kernel/observe/log.hpp"

namespace gantry::io {
namespace {
constexpr std::uint8_t kTlsHandshakeRecord = 0x16;
constexpr std::uint32_t kTlsAsLength = 0x16000000;  // a TLS hello read as a length prefix; below, it can be nothing else
constexpr std::size_t kLargeStep = 64 * 1024;
constexpr std::size_t kCipherStep = 16 * 1024;
}  // namespace

std::uint8_t *Shard::cipher() {
  if (cipher_ == nullptr) cipher_ = std::make_unique_for_overwrite<std::uint8_t[]>(kReadBytes);
  return cipher_.get();
}

void Shard::read_ready(Connection &conn) {
  if (conn.tls == nullptr && conn.input.size() > kHeadBytes) return read_large(conn);
  if (conn.tls != nullptr) {
    const long got = ::recv(conn.fd, cipher(), kReadBytes, 0);
    if (got <= 0) return read_failed(conn, got, errno);
    conn.active_ms = now_ms_;
    counters_.add(Count::kBytesIn, static_cast<std::uint64_t>(got));
    return take_cipher(conn, cipher(), static_cast<std::size_t>(got));
  }
  std::uint8_t *data = scratch_.get() + kHeadBytes;
  const long got = ::recv(conn.fd, data, kReadBytes, 0);
  if (got <= 0) return read_failed(conn, got, errno);
  conn.active_ms = now_ms_;
  const auto n = static_cast<std::size_t>(got);
  counters_.add(Count::kBytesIn, n);
  if (conn.stage == Stage::kFirstByte) {
    if (!decide_transport(conn, data)) return;
    if (conn.tls != nullptr) {
      std::memcpy(cipher(), data, n);
      return take_cipher(conn, cipher(), n);
    }
  } else if (!conn.has_read && data[0] == kTlsHandshakeRecord && conn.origin->max_input_bytes < kTlsAsLength) {
    log_warn("io", "connection ", conn.peer.text(), " begins a TLS handshake where TLS is not configured; it is closed");
    return close(conn, CloseCause::kRefused, GANTRY_E_UNSUPPORTED, "a TLS peer where TLS is not configured");
  }
  conn.has_read = true;
  take_plain(conn, data, n);
}

// A frame larger than the scratch's head grows in its own memory, by what really arrives and never past what the frame needs.
void Shard::read_large(Connection &conn) {
  const std::size_t held = conn.input.size();
  const std::size_t missing = conn.need > held ? conn.need - held : kLargeStep;
  conn.input.make_room(std::min(missing, kLargeStep), conn.need != 0 ? conn.need : 2 * held);
  const long got = ::recv(conn.fd, conn.input.data() + held, std::min({conn.input.spare(), kReadBytes, std::max(missing, kLargeStep)}), 0);
  if (got <= 0) return read_failed(conn, got, errno);
  conn.active_ms = now_ms_;
  counters_.add(Count::kBytesIn, static_cast<std::uint64_t>(got));
  conn.input.added(static_cast<std::size_t>(got));
  consume(conn, conn.input.data(), conn.input.size());
}

void Shard::read_failed(Connection &conn, long got, int error) {
  if (got == 0) {
    if (conn.queued_bytes() == 0) return close(conn, CloseCause::kPeer, GANTRY_OK, "closed by the peer");
    // What was queued before the peer ended its direction may still be wanted; nothing more will come.
    conn.no_more_reading = true;
    conn.close_after_flush = true;
    return update_interest(conn);
  }
  if (error == EAGAIN || error == EINTR) return;
  const bool gone = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT;
  close(conn, gone ? CloseCause::kPeer : CloseCause::kError, gone ? GANTRY_OK : GANTRY_E_IO, std::strerror(error));
}

bool Shard::decide_transport(Connection &conn, const std::uint8_t *data) {
  const bool tls = data[0] == kTlsHandshakeRecord;
  const Origin &origin = *conn.origin;
  if (!tls && origin.tls_mode == TlsMode::kRequired) {
    close(conn, CloseCause::kRefused, GANTRY_E_DENIED, "a plain peer where TLS is required");
    return false;
  }
  if (tls) {
    conn.tls = origin.tls == nullptr ? nullptr : TlsSession::server(*origin.tls);
    if (conn.tls == nullptr) {
      close(conn, CloseCause::kRefused, GANTRY_E_UNSUPPORTED, "a TLS peer where TLS is not configured");
      return false;
    }
    conn.stage = Stage::kHandshake;
    conn.opened_ms = now_ms_;
    set_deadline(conn);
    return true;
  }
  open_protocol(conn);
  return conn.stage == Stage::kOpen;
}

// In steps, so that OpenSSL's buffer, which never shrinks, stays small.
void Shard::take_cipher(Connection &conn, const std::uint8_t *data, std::size_t n) {
  std::uint8_t *plain = scratch_.get() + kHeadBytes;
  std::size_t held = 0;
  TlsStep step = TlsStep::kWantMore;
  while (n != 0 && step == TlsStep::kWantMore) {
    const std::size_t part = std::min(n, kCipherStep);
    if (!conn.tls->feed(data, part)) return close(conn, CloseCause::kError, GANTRY_E_NOMEM, "no memory for TLS input");
    data += part;
    n -= part;
    if (conn.stage == Stage::kHandshake) step_handshake(conn);
    if (conn.stage == Stage::kClosing) return;
    if (conn.stage != Stage::kOpen) continue;
    do {
      std::size_t got = 0;
      step = conn.tls->read(plain + held, kReadBytes + kHeadBytes - held, got);
      held += got;
    } while (step == TlsStep::kDone);
  }
  if (conn.tls->has_output()) mark_dirty(conn);  // an answer of TLS itself
  if (held != 0) take_plain(conn, plain, held);
  if (conn.stage != Stage::kOpen) return;
  if (step == TlsStep::kEnd) return read_failed(conn, 0, 0);
  if (step == TlsStep::kFailed) close(conn, CloseCause::kError, GANTRY_E_IO, "TLS: " + conn.tls->error());
}

void Shard::step_handshake(Connection &conn) {
  const TlsStep step = conn.tls->handshake();
  if (conn.tls->has_output()) mark_dirty(conn);
  if (step == TlsStep::kWantMore) return;
  if (step != TlsStep::kDone) {
    flush_tls(conn);  // the alert tells the peer why
    return close(conn, CloseCause::kError, GANTRY_E_IO, "TLS handshake: " + conn.tls->error());
  }
  open_protocol(conn);
  if (conn.stage == Stage::kOpen) set_deadline(conn);
}

// `data` lies in the scratch behind kHeadBytes, so that a kept start fits in front of it.
void Shard::take_plain(Connection &conn, std::uint8_t *data, std::size_t n) {
  const std::size_t held = conn.input.size();
  if (held > kHeadBytes || conn.stalled) {
    conn.input.make_room(n, conn.need != 0 ? conn.need : 2 * held);
    std::memcpy(conn.input.data() + held, data, n);
    conn.input.added(n);
    if (!conn.stalled) consume(conn, conn.input.data(), conn.input.size());
    return;
  }
  if (held != 0) std::memcpy(data - held, conn.input.data(), held);
  consume(conn, data - held, held + n);
}

void Shard::consume(Connection &conn, const std::uint8_t *data, std::size_t n) {
  if (conn.stage != Stage::kOpen || conn.close_after_flush) return conn.input.clear();
  if (conn.need > n) return keep_input(conn, data, n);
  Instance &instance = *conn.origin->instance;
  std::uint32_t consumed = 0, need = 0;
  const std::uint64_t begin = read_ticks();
  const std::int32_t code = instance.protocol->on_bytes(instance.self(), conn.state, data, static_cast<std::uint32_t>(n), &consumed, &need);
  if (CallMeter *const meter = instance.host->input_meter; meter != nullptr) meter->note(index, consumed, code < 0 && code != GANTRY_E_AGAIN ? 1 : 0, read_ticks() - begin);
  if (consumed > n) {
    log_error("io", instance.host->label, " consumed more bytes than it was given: a bug of the plugin; the connection is closed");
    return close(conn, CloseCause::kError, GANTRY_E_INTERNAL, "the protocol consumed more than it was given");
  }
  if (conn.stage != Stage::kOpen || conn.close_after_flush) return conn.input.clear();
  if (code < 0 && code != GANTRY_E_AGAIN) return close(conn, CloseCause::kProtocol, code, "the protocol refused the input");
  const std::size_t rest = n - consumed;
  conn.need = need > rest ? need : 0;
  const std::uint32_t most = conn.origin->max_input_bytes;
  if (conn.need > most || (rest > most && code != GANTRY_E_AGAIN)) {
    log_warn("io", "connection ", conn.peer.text(), " sent a frame of ", std::max<std::size_t>(conn.need, rest), " bytes, the limit is ", most, "; it is closed");
    return close(conn, CloseCause::kLimit, GANTRY_E_LIMIT, "a frame over the limit");
  }
  keep_input(conn, data + consumed, rest);
  if (code == GANTRY_E_AGAIN && !conn.stalled) {
    conn.stalled = true;
    conn.need = 0;
    stalled_.push_back(ConnectionTable::name(conn));
  }
}

void Shard::keep_input(Connection &conn, const std::uint8_t *data, std::size_t n) {
  const std::size_t held = conn.input.size();
  const bool own = held != 0 && data >= conn.input.data() && data <= conn.input.data() + held;
  if (own) return conn.input.drop_front(held - n);
  if (n == 0) return conn.input.clear();
  if (held > n) {
    conn.input.drop_front(held - n);  // keeps the memory
  } else {
    conn.input.make_room(n - held, std::min<std::size_t>(2 * n, std::max<std::size_t>(conn.need, n)));
    conn.input.added(n - held);
  }
  std::memcpy(conn.input.data(), data, n);
}

void Shard::retry_stalled() {
  if (stalled_.empty()) return;
  swap_.clear();
  swap_.swap(stalled_);
  std::vector<std::uint64_t> again;
  again.swap(swap_);
  for (const std::uint64_t name : again) {
    Connection *conn = connections_.find(name);
    if (conn == nullptr || conn->stage != Stage::kOpen || !conn->stalled) continue;
    conn->stalled = false;
    if (conn->input.size() != 0) consume(*conn, conn->input.data(), conn->input.size());
    if (conn->stage == Stage::kOpen && !conn->stalled) update_interest(*conn);
  }
}

}  // namespace gantry::io
