// ns per send of what this plugin adds to a message: (1) codec alone: split, decode header, map fields, write reply; (2) the whole
// component between tables that do nothing: on_bytes with 32 pipelined sends, then their completions. CPU time of the best of several
// rounds, so that other work on the machine disturbs little.
#include "codec/properties.hpp"
#include "codec/reply_templates.hpp"
#include "codec/send_header.hpp"
#include "remoting/component.hpp"
#include "wire.hpp"

#include <gantry/draft/admin.h>
#include <gantry/draft/broker.h>
#include <gantry/draft/protocol.h>
#include <gantry++/str.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace gantry::remoting {
namespace {

constexpr int kRounds = 200, kIterations = 3200, kPipelined = 32;

test::Fields fields() {
  return {{"a", "bench-producer"}, {"b", "BenchTopic"}, {"c", "TBW102"}, {"d", "4"}, {"e", "1"}, {"f", "0"}, {"g", "1700000000000"}, {"h", "0"},
          {"i", "UNIQ_KEY\1" "7F00000100002A139A55D68F83A40001\2WAIT\1true\2TAGS\1TagA"}, {"j", "0"}, {"k", "false"}, {"l", "0"}, {"m", "false"},
          {"n", "broker-a"}};
}

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <typename F>
double best_ns(int per_round, F &&run) {
  double best = 1e18;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = cpu_ns();
    run();
    best = std::min(best, (cpu_ns() - begin) / per_round);
  }
  return best;
}

double codec_ns(const std::string &bytes) {
  const std::uint8_t ip[4] = {10, 0, 0, 1};
  const SendReplyTemplate replies(ip, 4, 10911, "DefaultRegion", true);
  Scratch scratch(1 << 20);
  auto header = std::make_unique<Header>();
  std::uint8_t out[1024];
  std::uint64_t sum = 0;
  const double ns = best_ns(kIterations, [&] {
    for (int i = 0; i < kIterations; ++i) {
      scratch.reset();
      Frame frame;
      SendHeader send;
      if (split_frame(reinterpret_cast<const std::uint8_t *>(bytes.data()), static_cast<std::uint32_t>(bytes.size()), frame) != FrameStatus::kWhole ||
          decode_header(frame, scratch, *header) != nullptr || decode_send_header(*header, send) != nullptr)
        std::abort();
      sum += scan_properties(send.properties).wait_stored;
      const SendReply reply{.code = 0, .opaque = header->opaque, .queue_id = send.queue_id, .queue_offset = 1234567 + i, .log_position = 987654321012 + i};
      sum += replies.write(out, header->type, reply);
    }
  });
  if (sum == 0) std::abort();
  return ns;
}

// ---- tables that do nothing

struct World {
  gantry_host host{};
  gantry_cq_ready_fn ready = nullptr;
  void *ready_self = nullptr;
  std::vector<gantry_cqe> done;
  std::uint8_t out[64 << 10];
  std::uint64_t written = 0, cells[8] = {}, n_cells = 0;
};
World world;

const gantry_net_v1 kNet = {
    [](const gantry_host *, gantry_conn, const gantry_span *, std::uint32_t) noexcept { return GANTRY_OK; },
    [](const gantry_host *, gantry_conn, std::uint32_t) noexcept { return world.out; },
    [](const gantry_host *, gantry_conn, std::uint32_t n) noexcept { world.written += n; },
    [](const gantry_host *, gantry_conn, std::uint32_t, const char *) noexcept {},
    [](const gantry_host *, std::uint32_t, gantry_str, std::uint32_t, std::uint64_t) noexcept { return GANTRY_E_UNSUPPORTED; }};

gantry_broker_v1 make_broker() {
  gantry_broker_v1 t{};
  t.info = [](const gantry_host *, gantry_broker_info *out) noexcept {
    *out = gantry_broker_info{};
    out->max_message_bytes = 4 << 20;
    out->perm = 6;
  };
  t.set_store_host = [](const gantry_host *, const std::uint8_t *, std::uint32_t, std::uint32_t) noexcept {};
  t.topic_find = [](const gantry_host *, gantry_str, gantry_topic_info *out) noexcept {
    *out = gantry_topic_info{};
    out->topic = 1;
    out->perm = 6;
    out->read_queues = out->write_queues = 4;
    return GANTRY_OK;
  };
  t.produce = [](const gantry_host *, const gantry_produce *reqs, std::uint32_t n, gantry_cq) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) world.done.push_back(gantry_cqe{reqs[i].user_data, 1234567, 987654321012, GANTRY_OK, 1});
    return static_cast<std::int32_t>(n);
  };
  return t;
}
const gantry_broker_v1 kBroker = make_broker();
const gantry_admin_v1 kAdmin{};  // not asked
const gantry_session_v1 kSession = {nullptr, nullptr, [](const gantry_host *, gantry_conn) noexcept {}, nullptr};
gantry_exec_v1 make_exec() {
  gantry_exec_v1 t{};
  t.shard_count = [](const gantry_host *) noexcept { return 1u; };
  t.this_shard = [](const gantry_host *) noexcept { return 0u; };
  t.post = [](const gantry_host *, std::uint32_t, gantry_task_fn fn, void *arg) noexcept { return fn(arg), GANTRY_OK; };
  return t;
}
const gantry_exec_v1 kExec = make_exec();
const gantry_cq_v1 kCq = {[](const gantry_host *, std::uint32_t, gantry_cq_ready_fn ready, void *self) noexcept {
                            world.ready = ready;
                            world.ready_self = self;
                            return gantry_cq{1};
                          },
                          nullptr, [](const gantry_host *, gantry_cq) noexcept {}};
const gantry_log_v1 kLog = {[](const gantry_host *, std::int32_t) noexcept { return 0; },
                            [](const gantry_host *, std::int32_t, const char *, std::uint32_t) noexcept {}};
const gantry_clock_v1 kClock = {[](const gantry_host *) noexcept { return std::int64_t{1}; }, [](const gantry_host *) noexcept { return std::int64_t{1}; }};
const gantry_metrics_v1 kMetrics = {[](const gantry_host *, std::uint32_t, const char *, const char *, std::uint32_t) noexcept {
  return &world.cells[world.n_cells++ % 8];
}};

const void *query(const gantry_host *, const char *id) noexcept {
  const std::string_view name = id;
  return name == GANTRY_NET_ID       ? static_cast<const void *>(&kNet)
         : name == GANTRY_BROKER_ID  ? static_cast<const void *>(&kBroker)
         : name == GANTRY_ADMIN_ID   ? static_cast<const void *>(&kAdmin)
         : name == GANTRY_SESSION_ID ? static_cast<const void *>(&kSession)
         : name == GANTRY_EXEC_ID    ? static_cast<const void *>(&kExec)
         : name == GANTRY_CQ_ID      ? static_cast<const void *>(&kCq)
         : name == GANTRY_LOG_ID     ? static_cast<const void *>(&kLog)
         : name == GANTRY_CLOCK_ID   ? static_cast<const void *>(&kClock)
         : name == GANTRY_METRICS_ID ? static_cast<const void *>(&kMetrics)
                                     : nullptr;
}

double component_ns(const std::string &one) {
  std::string bytes;
  for (int i = 0; i < kPipelined; ++i) bytes += one;
  world.host = gantry_host{sizeof(gantry_host), 0, nullptr, query};
  gantry_config config{};
  config.size = sizeof config;
  config.get_int = [](const gantry_config *, const char *) noexcept { return std::int64_t{30000}; };
  config.get_text = [](const gantry_config *, const char *key) noexcept {
    return str(std::string_view(key) == "advertise" ? "127.0.0.1:10911" : "DefaultRegion");
  };
  config.list_size = [](const gantry_config *, const char *) noexcept { return 0u; };
  const gantry_component &component = kRemotingComponent;
  const auto &table = *static_cast<const gantry_protocol_v1 *>(component.vtable);
  void *self = nullptr, *state = nullptr;
  gantry_error error{};
  gantry_conn_info info{};
  info.peer_ip_bytes = 4;
  info.peer = str("127.0.0.1:5000");
  if (component.create(&world.host, &config, &self, &error) != GANTRY_OK || component.start(self, &error) != GANTRY_OK ||
      table.conn_open(self, 1, &info, &state) != GANTRY_OK) {
    std::fprintf(stderr, "component does not start: %s\n", error.text);
    std::abort();
  }
  constexpr int kCalls = kIterations / kPipelined;
  const double ns = best_ns(kCalls * kPipelined, [&] {
    for (int i = 0; i < kCalls; ++i) {
      std::uint32_t consumed = 0, need = 0;
      const auto *data = reinterpret_cast<const std::uint8_t *>(bytes.data());
      if (table.on_bytes(self, state, data, static_cast<std::uint32_t>(bytes.size()), &consumed, &need) != GANTRY_OK) std::abort();
      world.ready(world.ready_self, world.done.data(), static_cast<std::uint32_t>(world.done.size()));
      world.done.clear();
    }
  });
  table.conn_close(self, state, GANTRY_OK);
  component.stop(self);
  component.destroy(self);
  return ns;
}

}  // namespace
}  // namespace gantry::remoting

int main() {
  using namespace gantry::remoting;
  const std::string body(1024, 'x');
  const std::string json = test::frame(test::java_header(310, 123456, fields()), body);
  const std::string binary = test::frame(test::binary_header(310, 123456, fields()), body, 1);
  std::printf("codec, JSON header:       %6.1f ns per send decoded and answered\n", codec_ns(json));
  std::printf("codec, binary header:     %6.1f ns\n", codec_ns(binary));
  std::printf("component, JSON header:   %6.1f ns, 32 sends pipelined\n", component_ns(json));
  std::printf("component, binary header: %6.1f ns\n", component_ns(binary));
}
