#include "kernel/cli/remoting_client.hpp"

#include <gantry++/bytes.hpp>

#include <boost/json.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

namespace gantry::cli {

namespace {

namespace json = boost::json;

constexpr int kVersion = 409;  // what a 4.9.8 client announces, so that name servers answer standard JSON
constexpr std::size_t kMaxFrameBytes = 32u << 20;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string text_of(const json::value &value) {
  if (value.is_string()) return std::string(value.get_string());
  return json::serialize(value);
}

// RocketMQ's signature: AccessKey and the Base64 of HMAC-SHA1 over all values by ascending name and the body. The names of a map are sorted so.
void sign(Fields &fields, std::string_view body) {
  const char *access_key = std::getenv("GANTRY_ACCESS_KEY"), *secret = std::getenv("GANTRY_SECRET_KEY");
  if (access_key == nullptr || secret == nullptr) return;
  fields["AccessKey"] = access_key;
  std::string content;
  for (const auto &[key, value] : fields) content += value;
  content += body;
  unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
  unsigned digest_bytes = 0;
  HMAC(EVP_sha1(), secret, static_cast<int>(std::char_traits<char>::length(secret)), reinterpret_cast<const unsigned char *>(content.data()), content.size(), digest, &digest_bytes);
  EVP_EncodeBlock(text, digest, static_cast<int>(digest_bytes));
  fields["Signature"] = reinterpret_cast<const char *>(text);
}

Result<Reply> parse_frame(std::string_view frame, const std::string &address) {
  ByteReader in(frame);
  const std::uint32_t mark = in.u32();
  const std::string_view header = in.bytes(mark & 0xFFFFFFu);
  if (in.failed() || mark >> 24 != 0) return Error{GANTRY_E_CORRUPT, address + " sent a frame that is not RocketMQ remoting with a JSON header"};
  boost::system::error_code bad;
  const json::value parsed = json::parse(json::string_view(header.data(), header.size()), bad);
  if (bad || !parsed.is_object()) return Error{GANTRY_E_CORRUPT, address + " sent a header that is not JSON: " + bad.message()};
  Reply reply;
  for (const auto &[key, value] : parsed.get_object()) {
    if (key == "code" && value.is_int64()) reply.code = static_cast<int>(value.get_int64());
    if (key == "opaque" && value.is_int64()) reply.opaque = static_cast<std::int32_t>(value.get_int64());
    if (key == "flag" && value.is_int64()) reply.is_request = (value.get_int64() & 1) == 0;
    if (key == "remark" && value.is_string()) reply.remark = text_of(value);
    if (key == "extFields" && value.is_object())
      for (const auto &[name, field] : value.get_object()) reply.fields[std::string(name)] = text_of(field);
  }
  reply.body = in.bytes(in.left());
  return reply;
}

}  // namespace

Result<RemotingClient> RemotingClient::connect(const std::string &address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Error{GANTRY_E_INVALID, "'" + address + "' is not an address: write host:port"};
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  if (const int status = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); status != 0)
    return Error{GANTRY_E_NOT_FOUND, "cannot resolve " + address + ": " + gai_strerror(status)};
  int fd = -1;
  int last_errno = 0;
  for (const addrinfo *a = found; a != nullptr && fd < 0; a = a->ai_next) {
    fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ::connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
      last_errno = errno;
      ::close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  if (fd < 0) return io_error("cannot connect to " + address + " (is Gantry running there?)", last_errno);
  const int one = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return RemotingClient(fd, address);
}

RemotingClient::~RemotingClient() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::int32_t> RemotingClient::send(int code, const Fields &unsigned_fields, std::string_view body) {
  Fields fields = unsigned_fields;
  sign(fields, body);
  json::object ext;
  for (const auto &[key, value] : fields) ext[key] = value;
  const std::int32_t opaque = next_opaque_++;
  const std::string header = json::serialize(json::object{{"code", code}, {"extFields", ext}, {"flag", 0}, {"language", "CPP"}, {"opaque", opaque}, {"version", kVersion}});
  std::string frame(8, '\0');
  store_be32(frame.data(), static_cast<std::uint32_t>(4 + header.size() + body.size()));
  store_be32(frame.data() + 4, static_cast<std::uint32_t>(header.size()));
  frame += header;
  frame += body;
  for (std::size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error("send to " + address_, errno);
    sent += static_cast<std::size_t>(n);
  }
  return opaque;
}

Result<void> RemotingClient::read_exactly(char *to, std::size_t n, std::int64_t deadline_ms) {
  while (n > 0) {
    pollfd ready{fd_, POLLIN, 0};
    const std::int64_t left_ms = deadline_ms - now_ms();
    const int polled = left_ms <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left_ms));
    if (polled < 0 && errno == EINTR) return Error{GANTRY_E_CANCELLED, "interrupted"};
    if (polled == 0) return Error{GANTRY_E_TIMEOUT, "no answer from " + address_ + " in time"};
    const ssize_t got = ::recv(fd_, to, n, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) return Error{GANTRY_E_CLOSED, address_ + " closed the connection"};
    if (got < 0) return io_error("receive from " + address_, errno);
    to += got;
    n -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<Reply> RemotingClient::receive(int timeout_ms) {
  const std::int64_t deadline_ms = now_ms() + timeout_ms;
  char length[4];
  GANTRY_TRY(read_exactly(length, sizeof length, deadline_ms));
  const std::uint32_t bytes = load_be32(length);
  if (bytes < 4 || bytes > kMaxFrameBytes) return Error{GANTRY_E_CORRUPT, address_ + " does not speak RocketMQ remoting (frame of " + std::to_string(bytes) + " bytes)"};
  std::string frame(bytes, '\0');
  // The rest of a frame that has begun is waited for, whatever the caller's patience: half a frame read would lose the stream.
  GANTRY_TRY(read_exactly(frame.data(), frame.size(), now_ms() + 10'000));
  return parse_frame(frame, address_);
}

Result<Reply> RemotingClient::call(int code, const Fields &fields, std::string_view body, int timeout_ms) {
  auto opaque = send(code, fields, body);
  if (!opaque) return std::move(opaque.error());
  const std::int64_t deadline_ms = now_ms() + timeout_ms;
  for (;;) {
    auto reply = receive(static_cast<int>(deadline_ms - now_ms()));
    if (!reply || (!reply->is_request && reply->opaque == *opaque)) return reply;
  }
}

Result<std::vector<QueueRoute>> find_route(const std::string &nameserver, const std::string &topic, bool allow_default) {
  constexpr int kGetRoute = 105;
  auto client = RemotingClient::connect(nameserver);
  if (!client) return std::move(client.error());
  auto reply = client->call(kGetRoute, {{"topic", topic}, {"acceptStandardJsonOnly", "true"}});
  if (reply && reply->code == 17 && allow_default) reply = client->call(kGetRoute, {{"topic", "TBW102"}, {"acceptStandardJsonOnly", "true"}});
  if (!reply) return std::move(reply.error());
  if (reply->code != 0) return Error{GANTRY_E_NOT_FOUND, "name server " + nameserver + " knows no broker for topic '" + topic + "': " + reply->remark};

  boost::system::error_code bad;
  const json::value parsed = json::parse(reply->body, bad);
  const json::object *route = bad ? nullptr : parsed.if_object();
  if (route == nullptr || !route->contains("brokerDatas") || !route->contains("queueDatas")) return Error{GANTRY_E_CORRUPT, "name server " + nameserver + " answered a route that is not understood"};
  std::map<std::string, std::string> masters;
  for (const json::value &broker : route->at("brokerDatas").as_array())
    if (const auto *master = broker.at("brokerAddrs").as_object().if_contains("0"); master != nullptr) masters[text_of(broker.at("brokerName"))] = text_of(*master);
  std::vector<QueueRoute> routes;
  for (const json::value &queue : route->at("queueDatas").as_array()) {
    QueueRoute r;
    r.broker_name = text_of(queue.at("brokerName"));
    if (!masters.contains(r.broker_name)) continue;
    r.address = masters[r.broker_name];
    r.read_queues = json::value_to<int>(queue.at("readQueueNums"));
    r.write_queues = json::value_to<int>(queue.at("writeQueueNums"));
    r.perm = json::value_to<int>(queue.at("perm"));
    routes.push_back(std::move(r));
  }
  if (routes.empty()) return Error{GANTRY_E_NOT_FOUND, "no master broker of topic '" + topic + "' is online"};
  return routes;
}

Result<std::vector<StoredMessage>> decode_messages(std::string_view body) {
  std::vector<StoredMessage> messages;
  ByteReader in(body);
  while (!in.at_end()) {
    StoredMessage m;
    const std::size_t begin = body.size() - in.left();
    in.skip(12);  // totalSize, magic, bodyCRC
    m.queue_no = in.i32();
    in.skip(4);
    m.queue_offset = in.i64();
    in.skip(8);
    m.sys_flags = in.u32();
    in.skip(8);
    in.skip((m.sys_flags & 16) != 0 ? 20 : 8);
    m.store_ms = in.i64();
    in.skip((m.sys_flags & 32) != 0 ? 20 : 8);
    in.skip(12);
    m.body = in.bytes(in.u32());
    m.topic = in.bytes(in.u8());
    m.properties = in.bytes(in.u16());
    m.record = body.substr(begin, body.size() - in.left() - begin);
    if (in.failed()) return Error{GANTRY_E_CORRUPT, "a message in the reply ends too early"};
    messages.push_back(std::move(m));
  }
  return messages;
}

std::string property_of(std::string_view properties, std::string_view key) {
  while (!properties.empty()) {
    const std::size_t end = properties.find('\x02');
    const std::string_view entry = properties.substr(0, end);
    const std::size_t separator = entry.find('\x01');
    if (separator != std::string_view::npos && entry.substr(0, separator) == key) return std::string(entry.substr(separator + 1));
    properties = end == std::string_view::npos ? std::string_view() : properties.substr(end + 1);
  }
  return {};
}

}  // namespace gantry::cli
