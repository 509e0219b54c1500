#include "remoting/output.hpp"

#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::remoting {

namespace {

constexpr std::uint32_t kRunBytes = 4096;         // one reservation, enough for a dozen replies to sends
constexpr std::uint32_t kInPlaceMax = 32u << 10;  // larger replies are built aside
constexpr std::size_t kRemarkMax = 1000;

}  // namespace

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 128));
  for (char &c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

std::uint8_t *Output::room(gantry_conn conn, std::uint32_t bytes) {
  if (conn == conn_ && left_ >= bytes) return at_;
  flush();
  const std::uint32_t wanted = std::max(bytes, kRunBytes);
  std::uint8_t *const p = services_.net->reserve(services_.host, conn, wanted);
  if (p == nullptr) {
    refused(conn);
    return nullptr;
  }
  conn_ = conn;
  begin_ = at_ = p;
  left_ = wanted;
  return p;
}

void Output::flush() {
  if (conn_ == 0) return;
  services_.net->commit(services_.host, conn_, static_cast<std::uint32_t>(at_ - begin_));
  conn_ = 0;
}

// A reply that cannot be delivered must not be left out: the peer would wait for it. It notices a closed connection at once.
void Output::refused(gantry_conn conn) {
  // reserve does not tell a closed connection, where replies of the past end up, from one that is over its limit; send does.
  if (services_.net->send(services_.host, conn, nullptr, 0) == GANTRY_E_CLOSED) return;
  ++slow_readers_;
  services_.net->close(services_.host, conn, GANTRY_CLOSE_NOW, "the peer does not read its replies");
}

void Output::send(gantry_conn conn, const gantry_span *spans, std::uint32_t n) {
  flush();
  const std::int32_t status = services_.net->send(services_.host, conn, spans, n);
  if (status < 0 && status != GANTRY_E_CLOSED) refused(conn);
}

void Output::reply(const ReplyTo &to, std::int32_t code, std::string_view remark, const ExtField *ext, std::uint32_t n_ext,
                   std::string_view body) {
  if (to.oneway) return;
  OutHeader header;
  header.type = to.type;
  header.code = code;
  header.opaque = to.opaque;
  header.remark = remark.substr(0, kRemarkMax);
  header.ext = ext;
  header.n_ext = n_ext;
  const std::uint32_t bound = frame_bound(header);
  const auto body_bytes = static_cast<std::uint32_t>(body.size());
  if (bound + body.size() <= kInPlaceMax) {
    std::uint8_t *const p = room(to.conn, bound + body_bytes);
    if (p == nullptr) return;
    const std::uint32_t n = write_frame(p, header, body_bytes);
    if (body_bytes != 0) std::memcpy(p + n, body.data(), body_bytes);
    used(n + body_bytes);
    return;
  }
  large_.resize(bound);
  const std::uint32_t n = write_frame(large_.data(), header, body_bytes);
  const gantry_span spans[] = {span(large_.data(), n), span(body)};
  send(to.conn, spans, body.empty() ? 1 : 2);
  if (large_.capacity() > (1u << 20)) large_ = {};
}

}  // namespace gantry::remoting
