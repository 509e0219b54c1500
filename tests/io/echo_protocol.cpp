#include "tests/io/echo_protocol.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>
#include <thread>

namespace gantry::io::test {

bool eventually(const std::function<bool()> &condition, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct EchoProtocol::Conn {
  EchoProtocol *owner;
  gantry_conn id;
  std::uint32_t shard;
  bool outbound;
  bool alive = true;
  std::vector<std::uint8_t> waiting;  // a frame to be echoed later
};

namespace {

// A reply in memory that counts its owners.
struct OwnedReply {
  gantry_owner owner{};
  std::atomic<int> count{1};
  std::atomic<int> *alive = nullptr;
  std::vector<std::uint8_t> bytes;

  static OwnedReply *of(gantry_owner *self) { return reinterpret_cast<OwnedReply *>(self); }
  static void retain(gantry_owner *self) noexcept { of(self)->count.fetch_add(1); }
  static void release(gantry_owner *self) noexcept {
    if (of(self)->count.fetch_sub(1) != 1) return;
    of(self)->alive->fetch_sub(1);
    delete of(self);
  }
};

}  // namespace

struct EchoCallbacks {
  using Conn = EchoProtocol::Conn;
  static EchoProtocol &self_of(void *self) { return *static_cast<EchoProtocol *>(self); }

  static void describe(void *self, gantry_protocol_description *out) noexcept {
    *out = self_of(self).description;
    out->size = sizeof *out;
  }

  static int32_t conn_open(void *self, gantry_conn conn, const gantry_conn_info *info, void **state) noexcept {
    EchoProtocol &p = self_of(self);
    if (p.open_answer.load() != GANTRY_OK) return p.open_answer.load();
    const auto *exec = table_of<gantry_exec_v1>(p.host, GANTRY_EXEC_ID);
    if (exec->this_shard(&p.host.abi) != info->shard) p.bad_calls.fetch_add(1);
    auto *made = new Conn{&p, conn, info->shard, (info->flags & GANTRY_CONN_OUTBOUND) != 0, true, {}};
    *state = made;
    if ((info->flags & GANTRY_CONN_TLS) != 0) p.tls_opened.fetch_add(1);
    {
      const std::lock_guard lock(p.mutex_);
      p.ids_.push_back(conn);
      p.last_info_ = *info;
      p.last_peer_ = view(info->peer);
    }
    p.opened.fetch_add(1);
    if (made->outbound) {
      p.outbound_opened.fetch_add(1);
      static const std::uint8_t hello[] = {0, 0, 0, 6, 'E', 'h', 'e', 'l', 'l', 'o'};
      reply(*made, span(hello, sizeof hello));
    }
    return GANTRY_OK;
  }

  static int32_t reply(Conn &conn, gantry_span piece) {
    EchoProtocol &p = *conn.owner;
    const auto *net = table_of<gantry_net_v1>(p.host, GANTRY_NET_ID);
    const int32_t code = net->send(&p.host.abi, conn.id, &piece, 1);
    if (code != GANTRY_OK) p.send_refusals.fetch_add(1);
    return code;
  }

  static void big_reply(Conn &conn, std::uint32_t n) {
    auto *made = new OwnedReply;
    made->owner = {&OwnedReply::retain, &OwnedReply::release, n};
    made->alive = &conn.owner->owners_alive;
    made->alive->fetch_add(1);
    made->bytes.resize(n + 4);
    store_be32(made->bytes.data(), n);
    for (std::uint32_t i = 0; i < n; ++i) made->bytes[4 + i] = static_cast<std::uint8_t>(i * 31);
    gantry_span spans[2] = {span(made->bytes.data(), 4), span(made->bytes.data() + 4, n)};
    spans[1].owner = &made->owner;
    const auto *net = table_of<gantry_net_v1>(conn.owner->host, GANTRY_NET_ID);
    if (net->send(&conn.owner->host.abi, conn.id, spans, 2) != GANTRY_OK) conn.owner->send_refusals.fetch_add(1);
    made->owner.release(&made->owner);
  }

  static void on_completions(void *self, const gantry_cqe *cqes, uint32_t n) noexcept {
    EchoProtocol &p = self_of(self);
    if (n > 256) p.bad_calls.fetch_add(1);
    for (uint32_t i = 0; i < n; ++i) {
      auto *conn = reinterpret_cast<Conn *>(cqes[i].user_data);
      if (conn == nullptr) continue;
      if (conn->alive) reply(*conn, span(conn->waiting.data(), conn->waiting.size()));
      if (!conn->alive) delete conn;
    }
  }

  // Ran on the next shard; go home and answer there.
  static void far_post(void *arg) noexcept {
    auto *conn = static_cast<Conn *>(arg);
    EchoProtocol &p = *conn->owner;
    const auto *exec = table_of<gantry_exec_v1>(p.host, GANTRY_EXEC_ID);
    if (exec->post(&p.host.abi, conn->shard, &home_post, conn) != GANTRY_OK) p.bad_calls.fetch_add(1);
  }
  static void home_post(void *arg) noexcept {
    auto *conn = static_cast<Conn *>(arg);
    reply(*conn, span(conn->waiting.data(), conn->waiting.size()));
  }

  static int32_t handle(Conn &conn, const std::uint8_t *frame, std::uint32_t n) {
    EchoProtocol &p = *conn.owner;
    const auto *net = table_of<gantry_net_v1>(p.host, GANTRY_NET_ID);
    if (conn.outbound) {
      const std::lock_guard lock(p.mutex_);
      p.outbound_reply_.assign(reinterpret_cast<const char *>(frame) + 4, n - 4);
      return GANTRY_OK;
    }
    switch (n > 4 ? frame[4] : 0) {
      case 'C':
        reply(conn, span(frame, n));
        net->close(&p.host.abi, conn.id, GANTRY_CLOSE_AFTER_FLUSH, "asked to");
        return GANTRY_OK;
      case 'X': net->close(&p.host.abi, conn.id, GANTRY_CLOSE_NOW, "asked to"); return GANTRY_OK;
      case 'R': return GANTRY_E_CORRUPT;
      case 'B': big_reply(conn, load_be32(frame + 5)); return GANTRY_OK;
      case 'A':
        if (!p.gate.load()) {
          p.again_answers.fetch_add(1);
          return GANTRY_E_AGAIN;
        }
        break;
      case 'Q': {
        conn.waiting.assign(frame, frame + n);
        const gantry_cqe cqe{reinterpret_cast<std::uint64_t>(&conn), 0, 0, 0, 0};
        const auto *cq = table_of<gantry_cq_v1>(p.host, GANTRY_CQ_ID);
        return cq->push(&p.host.abi, p.queues_.at(conn.shard), &cqe, 1);
      }
      case 'S': {
        conn.waiting.assign(frame, frame + n);
        const auto *exec = table_of<gantry_exec_v1>(p.host, GANTRY_EXEC_ID);
        return exec->post(&p.host.abi, (conn.shard + 1) % exec->shard_count(&p.host.abi), &far_post, &conn);
      }
      case 'N': {
        std::uint8_t *room = net->reserve(&p.host.abi, conn.id, n + 100);
        if (room == nullptr) return GANTRY_E_INTERNAL;
        std::copy(frame, frame + n, room);
        net->commit(&p.host.abi, conn.id, n);
        return GANTRY_OK;
      }
      default: break;
    }
    reply(conn, span(frame, n));
    return GANTRY_OK;
  }

  static int32_t on_bytes(void *self, void *state, const uint8_t *data, uint32_t n, uint32_t *consumed, uint32_t *need) noexcept {
    EchoProtocol &p = self_of(self);
    Conn &conn = *static_cast<Conn *>(state);
    p.on_bytes_calls.fetch_add(1);
    *consumed = 0;
    while (n - *consumed >= 4) {
      const std::uint32_t length = load_be32(data + *consumed);
      if (n - *consumed < 4 + std::uint64_t{length}) {
        *need = length > 0xFFFFFF00u ? 0xFFFFFFFFu : 4 + length;
        break;
      }
      const int32_t code = handle(conn, data + *consumed, 4 + length);
      if (code < 0) return code;
      *consumed += 4 + length;
      p.input_bytes.fetch_add(4 + length);
    }
    return GANTRY_OK;
  }

  static void conn_close(void *self, void *state, int32_t reason) noexcept {
    EchoProtocol &p = self_of(self);
    auto *conn = static_cast<Conn *>(state);
    conn->alive = false;
    {
      const std::lock_guard lock(p.mutex_);
      std::erase(p.ids_, conn->id);
    }
    p.last_reason.store(reason);
    // A completion may still name it: tests with 'Q' keep their connections until it came.
    delete conn;
    p.closed.fetch_add(1);
  }

  static void conn_drain(void *self, void *state) noexcept {
    EchoProtocol &p = self_of(self);
    p.drained.fetch_add(1);
    static const std::uint8_t bye[] = {0, 0, 0, 3, 'b', 'y', 'e'};
    if (p.drain_goodbye.load() != 0) reply(*static_cast<Conn *>(state), span(bye, sizeof bye));
  }

  static void connect_failed(void *self, uint32_t, uint64_t, const gantry_error *error) noexcept {
    EchoProtocol &p = self_of(self);
    {
      const std::lock_guard lock(p.mutex_);
      p.failure_text_ = error->text;
    }
    p.connect_failures.fetch_add(1);
  }

  static void on_events(void *self, uint32_t shard, const gantry_event *events, uint32_t n) noexcept {
    EchoProtocol &p = self_of(self);
    const std::lock_guard lock(p.mutex_);
    for (uint32_t i = 0; i < n; ++i) p.events_.push_back({shard, events[i]});
  }
};

EchoProtocol::EchoProtocol(std::string label) {
  table_ = {&EchoCallbacks::describe,   &EchoCallbacks::conn_open,  &EchoCallbacks::on_bytes, &EchoCallbacks::conn_close,
            &EchoCallbacks::conn_drain, &EchoCallbacks::connect_failed, &EchoCallbacks::on_events};
  component_.size = sizeof component_;
  component_.interface_id = GANTRY_PROTOCOL_ID;
  component_.name = "echo";
  component_.vtable = &table_;
  description.size = sizeof description;
  description.default_port = 7;
  host.label = std::move(label);
  host.component = &component_;
  host.self = this;
}

void EchoProtocol::use(ShardSet &set, ServiceTables &tables) {
  host.tables = &tables;
  host.io = &set;
  const auto *cq = table_of<gantry_cq_v1>(host, GANTRY_CQ_ID);
  for (std::uint32_t i = 0; i < set.shard_count(); ++i) queues_.push_back(cq->create(&host.abi, i, &EchoCallbacks::on_completions, this));
}

std::vector<gantry_conn> EchoProtocol::connections() {
  const std::lock_guard lock(mutex_);
  return ids_;
}
std::vector<SeenEvent> EchoProtocol::events() {
  const std::lock_guard lock(mutex_);
  return events_;
}
std::string EchoProtocol::failure_text() {
  const std::lock_guard lock(mutex_);
  return failure_text_;
}
gantry_conn_info EchoProtocol::last_info() {
  const std::lock_guard lock(mutex_);
  return last_info_;
}
std::string EchoProtocol::last_peer() {
  const std::lock_guard lock(mutex_);
  return last_peer_;
}
std::string EchoProtocol::outbound_reply() {
  const std::lock_guard lock(mutex_);
  return outbound_reply_;
}

Fixture::Fixture(std::uint32_t shards) {
  options.shard_count = shards;
  options.drain_quiet_ms = 50;
  listen.instance = &protocol.host;
  listen.address = "127.0.0.1:0";
}

void Fixture::start() {
  auto made = ShardSet::create(options);
  ASSERT_TRUE(made.ok());
  set = std::move(*made);
  set->add_services(tables);
  protocol.use(*set, tables);
  ASSERT_TRUE(set->start().ok());
  auto bound = set->listen(listen);
  ASSERT_TRUE(bound.ok()) << bound.error().text;
  info = *bound;
}

Fixture::~Fixture() {
  if (set != nullptr) set->stop();
  EXPECT_EQ(protocol.opened.load(), protocol.closed.load());
  EXPECT_EQ(protocol.owners_alive.load(), 0);
  EXPECT_EQ(protocol.bad_calls.load(), 0);
}

}  // namespace gantry::io::test
