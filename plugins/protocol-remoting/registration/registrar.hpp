// Keeps the broker registered at every configured name server, over one outbound connection each.
//
// A name server drops a broker from the routes at once when the registering connection closes, so the connection stays open as long as
// the broker runs. REGISTER_BROKER goes out when the connection is made, every period, and when topics changed; one request at a time
// per name server, so a burst of changes costs one registration per answer. A broker with very many topics first asks with
// QUERY_DATA_VERSION whether the name server still has them, which counts as a sign of life. UNREGISTER_BROKER goes out at drain. The same
// connections ask for the routes of topics (TopicRoutes), beside whatever else is under way.
//
// Owned by a protocol component, which hands over what the kernel tells about outbound connections:
//   conn_open with GANTRY_CONN_OUTBOUND and owns(info->user_data)  -> *state keeps the NameServerLink that conn_open returns
//   on_bytes, conn_close, conn_drain of such a connection          -> the same functions of the link
//   connect_failed with owns(user_data)                            -> connect_failed
//   GANTRY_EVENT_TOPICS_CHANGED                                    -> topics_changed
// Everything of one Registrar runs on kShard.
#pragma once

#include "registration/topic_routes.hpp"

#include <gantry++/result.hpp>
#include <gantry/draft/broker.h>
#include <gantry/draft/net.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gantry::remoting {

struct RegistrarOptions {
  std::vector<std::string> nameservers;  // "host:port" or "[v6]:port"; empty: never registers
  std::string advertise;                 // "ip:port" clients connect to, put into routes
  std::string ha_advertise;              // "ip:port" for replicas
  std::int64_t period_ms = 30'000;       // between registrations of unchanged topics; 10 s .. 60 s
  bool tls = false;
  std::uint64_t user_data_base = 1u << 16;  // net.connect uses [base, base + nameservers.size())
};

class NameServerLink;
struct Header;

class Registrar {
 public:
  static constexpr std::uint32_t kShard = 0;

  // `host` must offer net, exec, log and broker.
  Registrar(const gantry_host *host, RegistrarOptions options);
  ~Registrar();
  Registrar(const Registrar &) = delete;
  Registrar &operator=(const Registrar &) = delete;

  // Begins to connect. E_CONFIG: an address is malformed (the text names it). [thread: control, in the component's start]
  [[nodiscard]] Result<void> start();
  // Cancels all timers and returns when none runs any more. Connections are the kernel's to close. [thread: control, in the component's
  // stop; also after the shards have stopped]
  void stop();

  [[nodiscard]] bool owns(std::uint64_t user_data) const;
  // NULL: no longer wanted, answer E_CLOSED. The link stays the registrar's; it lives as long as the registrar.
  [[nodiscard]] NameServerLink *conn_open(gantry_conn conn, const gantry_conn_info *info);
  void connect_failed(std::uint64_t user_data, const gantry_error *err);
  void topics_changed();

  // NULL without name servers. [thread: any]
  [[nodiscard]] TopicRoutes *routes() { return links_.empty() ? nullptr : &routes_; }

  // For the start-up banner. [thread: any]
  [[nodiscard]] std::uint32_t nameserver_count() const;
  [[nodiscard]] std::uint32_t registered_count() const { return registered_.load(std::memory_order_acquire); }
  [[nodiscard]] bool registered_anywhere() const { return registered_count() > 0; }
  [[nodiscard]] bool registered_everywhere() const { return registered_count() == nameserver_count(); }

 private:
  friend class NameServerLink;
  struct Tools;

  void begin();
  void end();
  void flush_changes();
  [[nodiscard]] bool ask_route(const std::string &topic);
  // REGISTER_BROKER's body for the topics as they are now.
  [[nodiscard]] const std::string &body();

  const RegistrarOptions options_;
  std::unique_ptr<Tools> tools_;
  std::vector<std::unique_ptr<NameServerLink>> links_;
  TopicRoutes routes_;
  std::atomic<std::uint32_t> registered_{0};
  bool running_ = false;  // shard only, as are the next
  bool flush_queued_ = false;
  std::string body_;  // shared by all links
  std::size_t body_topics_ = 0;
  gantry_topics_version body_version_{-1, -1};
  std::uint32_t body_perm_ = 0;  // the broker's permission in it
};

// One name server. The three functions mirror gantry_protocol_v1's.
class NameServerLink {
 public:
  NameServerLink(Registrar &owner, std::string address, std::uint64_t user_data);
  NameServerLink(const NameServerLink &) = delete;
  NameServerLink &operator=(const NameServerLink &) = delete;

  [[nodiscard]] std::int32_t on_bytes(const std::uint8_t *data, std::uint32_t n, std::uint32_t *consumed, std::uint32_t *need);
  void on_close(std::int32_t reason);
  void on_drain();

 private:
  friend class Registrar;
  enum class State : std::uint8_t { kIdle, kConnecting, kOpen, kDrained };

  void connect();
  void opened(gantry_conn conn);
  void connect_failed(const char *why);
  void stop();
  void topics_changed();
  void flush_changes();
  void send_registration();
  void send_sign_of_life();
  [[nodiscard]] bool send(std::int32_t code, std::string_view body);
  void answered(const Header &header);
  void registration_answered(std::int32_t code, std::string_view remark);
  void set_registered(bool registered);
  void arm(std::int64_t delay_ms);
  void disarm();
  void on_timer();
  [[nodiscard]] std::int64_t next_backoff_ms();
  void complain(const std::string &text);

  // Routes asked for: the answer is matched by opaque, and given up after TopicRoutes::kAnswerTimeoutMs.
  struct RouteQuestion {
    NameServerLink *link;
    std::string topic;
    std::int32_t opaque;
    std::uint64_t timer;
  };
  [[nodiscard]] bool ask_route(const std::string &topic);
  [[nodiscard]] bool route_answered(const Header &header, std::string_view body);
  void give_up_routes();

  Registrar &owner_;
  const std::string address_;
  const std::uint64_t user_data_;
  State state_ = State::kIdle;
  bool registered_ = false;
  bool ever_registered_ = false;
  bool dirty_ = false;       // topics changed since the registration in flight was made
  std::int32_t in_flight_ = 0;  // code of the request that waits for its answer; 0 = none
  std::int32_t opaque_ = 0;     // of the latest request
  std::int32_t awaited_ = 0;    // opaque of the one in flight
  std::vector<std::unique_ptr<RouteQuestion>> route_questions_;  // few: one per topic
  gantry_conn conn_ = 0;
  std::uint64_t timer_ = 0;
  std::int64_t backoff_ms_ = 0;
  std::int64_t next_complaint_ms_ = 0;
};

}  // namespace gantry::remoting
