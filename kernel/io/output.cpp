// Output: pieces are collected during the turn, written with one sendmsg at its end; what the peer does not take is copied.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "kernel/io/set_inner.hpp"
#include "kernel/io/shard.hpp"
#include "kernel/io/tls.hpp"

namespace gantry::io {
namespace {
constexpr std::size_t kMaxIovecs = 256;     // several replies to pulls of small records; each call costs a trip through TCP
constexpr std::uint32_t kCopyUpTo = 768;  // below, copying is cheaper than a reference, an iovec and the kernel's way through it
constexpr std::size_t kSpareOutputs = 1024;
constexpr std::size_t kSparePieces = 1024;
constexpr std::uint32_t kPrefetchBytes = 1024;

// Stored records lie scattered in memory that no cache holds: asked for now, they are there when they are copied below, or by the kernel at the
// end of the turn. The processor's own prefetching does not get going within a piece that is short.
void prefetch(const std::uint8_t *p, std::uint32_t n) {
  for (const std::uint8_t *end = p + std::min(n, kPrefetchBytes); p < end; p += 64) __builtin_prefetch(p, 0, 2);
}
}  // namespace

bool Shard::may_queue(const Connection &conn, std::size_t bytes) const {
  const std::size_t queued = conn.queued_bytes();
  return queued == 0 || queued + bytes <= set.options.output_hard_bytes;
}

TurnOutput &Shard::output_of(Connection &conn) {
  if (conn.output == nullptr) {
    if (spare_outputs_.empty()) {
      conn.output = new TurnOutput;
    } else {
      conn.output = spare_outputs_.back().release();
      spare_outputs_.pop_back();
    }
  }
  return *conn.output;
}

void Shard::add_piece(TurnOutput &output, const std::uint8_t *p, std::uint32_t n, gantry_owner *owner) {
  output.bytes += n;
  if (owner == nullptr && !output.pieces.empty()) {
    Piece &last = output.pieces.back();
    if (last.owner == nullptr && last.p + last.n == p && last.n + std::uint64_t{n} <= Arena::kChunkBytes) {
      last.n += n;
      return;
    }
  }
  output.pieces.push_back(Piece{p, n, owner});
}

void Shard::mark_dirty(Connection &conn) {
  if (conn.dirty) return;
  conn.dirty = true;
  dirty_.push_back(ConnectionTable::name(conn));
}

std::int32_t Shard::send(Connection &conn, const gantry_span *spans, std::uint32_t n) {
  if (conn.stage != Stage::kOpen || conn.close_after_flush) return GANTRY_E_CLOSED;
  std::size_t total = 0;
  for (std::uint32_t i = 0; i < n; ++i) total += spans[i].n;
  if (total == 0) return GANTRY_OK;
  if (!may_queue(conn, total)) return GANTRY_E_AGAIN;
  for (std::uint32_t i = 0; i < n; ++i)
    if (spans[i].owner != nullptr) prefetch(spans[i].p, spans[i].n);
  TurnOutput &output = output_of(conn);
  const gantry_owner *held = nullptr;  // one reference per owner and call: all pieces of a turn are let go together
  for (std::uint32_t i = 0; i < n; ++i) {
    const gantry_span &span = spans[i];
    if (span.n == 0) continue;
    if (span.owner != nullptr && span.n > kCopyUpTo) {
      const bool again = std::exchange(held, span.owner) == span.owner;
      if (!again) span.owner->retain(span.owner);
      add_piece(output, span.p, span.n, again ? nullptr : span.owner);
      continue;
    }
    for (std::uint32_t done = 0; done < span.n;) {
      const auto part = static_cast<std::uint32_t>(std::min<std::size_t>(span.n - done, Arena::kMaxPiece));
      std::uint8_t *copy = arena_.take(part);
      std::memcpy(copy, span.p + done, part);
      add_piece(output, copy, part, nullptr);
      done += part;
    }
  }
  conn.queued_ms = now_ms_;
  mark_dirty(conn);
  return GANTRY_OK;
}

std::uint8_t *Shard::reserve(Connection &conn, std::uint32_t n) {
  if (conn.stage != Stage::kOpen || conn.close_after_flush || n > Arena::kMaxPiece || !may_queue(conn, n)) return nullptr;
  reserved_ = arena_.take(n);
  reserved_bytes_ = n;
  return reserved_;
}

void Shard::commit(Connection &conn, std::uint32_t n) {
  if (reserved_ == nullptr || n > reserved_bytes_) return;
  arena_.shrink_last(reserved_, reserved_bytes_, n);
  std::uint8_t *piece = std::exchange(reserved_, nullptr);
  if (n == 0 || conn.stage != Stage::kOpen) return;
  add_piece(output_of(conn), piece, n, nullptr);
  conn.queued_ms = now_ms_;
  mark_dirty(conn);
}

void Shard::flush_dirty() {
  if (dirty_.empty()) return;
  for (std::size_t i = 0; i < dirty_.size(); ++i)
    if (Connection *conn = connections_.find(dirty_[i])) flush(*conn);
  dirty_.clear();
  reserved_ = nullptr;
  arena_.reset();
}

void Shard::flush(Connection &conn) {
  conn.dirty = false;
  if (conn.tls != nullptr)
    flush_tls(conn);
  else if (conn.output != nullptr)
    flush_plain(conn);
  drop_output(conn);
  output_changed(conn);
}

void Shard::flush_plain(Connection &conn) {
  const std::vector<Piece> &pieces = conn.output->pieces;
  std::size_t at = 0, skip = 0;  // the first byte not yet sent
  bool full = conn.pending.size() != 0;
  while (at < pieces.size() && !full) {
    std::array<iovec, kMaxIovecs> iovecs;
    std::size_t count = 0, offered = 0;
    for (std::size_t i = at; i < pieces.size() && count < kMaxIovecs; ++i, ++count) {
      const std::size_t from = i == at ? skip : 0;
      iovecs[count] = {const_cast<std::uint8_t *>(pieces[i].p) + from, pieces[i].n - from};
      offered += iovecs[count].iov_len;
    }
    msghdr message{};
    message.msg_iov = iovecs.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(conn.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !write_error(conn, errno)) return;
    const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    counters_.add(Count::kBytesOut, taken);
    full = taken < offered;
    for (skip += taken; at < pieces.size() && skip >= pieces[at].n; ++at) skip -= pieces[at].n;
  }
  conn.active_ms = now_ms_;
  if (conn.pending.size() == 0) conn.progress_ms = now_ms_;
  if (at == pieces.size()) return;
  std::size_t rest = 0;
  for (std::size_t i = at; i < pieces.size(); ++i) rest += pieces[i].n;
  conn.pending.make_room(rest - skip, 2 * (conn.pending.size() + rest));
  for (; at < pieces.size(); ++at, skip = 0) conn.pending.append(pieces[at].p + skip, pieces[at].n - skip);
}

void Shard::flush_tls(Connection &conn) {
  if (conn.output != nullptr)
    for (const Piece &piece : conn.output->pieces)
      if (!conn.tls->write(piece.p, piece.n)) {
        close(conn, CloseCause::kError, GANTRY_E_IO, "TLS: " + conn.tls->error());
        break;
      }
  const auto [data, n] = conn.tls->output();
  if (n == 0) return;
  std::size_t written = 0;
  if (conn.pending.size() == 0) {
    if (!write_some(conn, data, n, written)) return conn.tls->output_taken();
    conn.progress_ms = now_ms_;
  }
  conn.active_ms = now_ms_;
  conn.pending.append(data + written, n - written);
  conn.tls->output_taken();
}

void Shard::write_pending(Connection &conn) {
  if (conn.pending.size() == 0) return output_changed(conn);
  std::size_t written = 0;
  if (!write_some(conn, conn.pending.data(), conn.pending.size(), written)) return;
  if (written != 0) conn.active_ms = conn.progress_ms = now_ms_;
  conn.pending.drop_front(written);
  output_changed(conn);
}

void Shard::output_changed(Connection &conn) {
  if (conn.stage == Stage::kClosing) return;
  const std::size_t pending = conn.pending.size();
  const bool was_over = conn.over_soft;
  if (pending > set.options.output_soft_bytes) conn.over_soft = true;
  if (pending <= set.options.output_soft_bytes / 2) conn.over_soft = false;
  if (pending == 0) {
    if (conn.close_after_flush && conn.output == nullptr) return close(conn, CloseCause::kProtocol, GANTRY_E_CLOSED, "output flushed");
    // The usual case costs nothing: everything was sent, nothing was waited for.
    if ((conn.interest & EPOLLOUT) == 0 && !was_over) return;
  } else {
    if (conn.progress_ms == now_ms_) {
      conn.progress_ms = monotonic_ms();  // the turn may have begun long ago, and the peer's time begins here
      look_at_socket(conn);
    }
    set_deadline(conn);
  }
  update_interest(conn);
}

void Shard::drop_output(Connection &conn) {
  if (conn.output == nullptr) return;
  for (const Piece &piece : conn.output->pieces)
    if (piece.owner != nullptr) piece.owner->release(piece.owner);
  std::unique_ptr<TurnOutput> output(std::exchange(conn.output, nullptr));
  output->pieces.clear();
  output->bytes = 0;
  if (spare_outputs_.size() < kSpareOutputs && output->pieces.capacity() <= kSparePieces) spare_outputs_.push_back(std::move(output));
}

bool Shard::write_some(Connection &conn, const std::uint8_t *p, std::size_t n, std::size_t &written) {
  const ssize_t sent = ::send(conn.fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return write_error(conn, errno);
  written = static_cast<std::size_t>(sent);
  counters_.add(Count::kBytesOut, written);
  return true;
}

// True: only for now.
bool Shard::write_error(Connection &conn, int error) {
  if (error == EAGAIN || error == EINTR || error == ENOBUFS) return true;
  const bool gone = error == EPIPE || error == ECONNRESET;
  close(conn, gone ? CloseCause::kPeer : CloseCause::kError, gone ? GANTRY_OK : GANTRY_E_IO, std::strerror(error));
  return false;
}

}  // namespace gantry::io
