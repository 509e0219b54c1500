// One shard: a thread, its loop, and everything that belongs to it. All members without a thread tag are the shard thread's own.
#pragma once

#include <gantry/draft/protocol.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "kernel/io/arena.hpp"
#include "kernel/io/connection.hpp"
#include "kernel/io/counters.hpp"
#include "kernel/io/inbox.hpp"
#include "kernel/io/poller.hpp"
#include "kernel/io/timers.hpp"

namespace gantry::io {

struct Acceptor;
struct Dial;
struct ShardSetInner;

// Why a connection ends, for counting; the code given to the protocol comes with it.
enum class CloseCause : std::uint8_t { kPeer, kProtocol, kIdle, kSlowReader, kLimit, kError, kShutdown, kRefused };

class Shard {
 public:
  static constexpr std::size_t kReadBytes = 256 * 1024;  // per connection and turn
  static constexpr std::size_t kHeadBytes = 64 * 1024;   // a kept frame start up to this is put before the bytes just read

  Shard(ShardSetInner &set, std::uint32_t index);
  ~Shard();
  [[nodiscard]] Result<void> open();
  [[nodiscard]] static Shard *current() { return current_; }  // the calling thread's. [thread: any]

  const std::uint32_t index;
  ShardSetInner &set;
  std::atomic<std::uint32_t> load{0};  // connections assigned to it. [thread: any]

  // ---- thread: any
  [[nodiscard]] bool post(Task task);  // false: stopped
  [[nodiscard]] bool announce(gantry_cq cq);
  [[nodiscard]] const Counters &counters() const { return counters_; }

  // ---- thread: control
  void start();
  void join();
  void refuse_posts();  // of a shard that never ran

  // ---- loop (shard_loop.cpp)
  void stop_loop() { stopping_ = true; }
  void enlist(gantry_cq cq) { ready_queues_.push_back(cq); }
  void at_turn_end(Task task) { hooks_.push_back(task); }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }    // monotonic, of this turn
  [[nodiscard]] std::int64_t wall_ms() const { return wall_ms_; }  // of this turn
  void count(Count what) { counters_.add(what); }
  void acceptor_ready(Acceptor &acceptor) { ready_acceptors_.push_back(&acceptor); }
  [[nodiscard]] bool await_connections(int fd, Acceptor &acceptor);  // false: errno says why

  // ---- timers, watches (shard.cpp); also thread control while the shards do not run
  [[nodiscard]] std::uint64_t arm(std::int64_t delay_ms, gantry_task_fn fn, void *arg);
  [[nodiscard]] bool cancel(std::uint64_t timer) { return timers_.cancel(timer); }
  [[nodiscard]] bool watch(std::uint64_t name, int fd, gantry_task_fn fn, void *arg);
  void unwatch(std::uint64_t name);

  // ---- connections (lifecycle.cpp)
  void adopt(int fd, Origin &origin, std::uint32_t listener, const Endpoint &peer);
  [[nodiscard]] Connection *find(gantry_conn conn) { return connections_.find(conn); }
  [[nodiscard]] gantry_conn id_of(const Connection &conn) const {
    return gantry_conn{index} << kConnShardShift | ConnectionTable::name(conn);
  }
  // conn_close follows at the end of the turn.
  void close(Connection &conn, CloseCause cause, std::int32_t code, std::string_view text);
  void close_after_flush(Connection &conn, std::string_view text);
  void begin_drain(std::int64_t deadline_ms, std::int64_t stop_reading_ms);

  // ---- output (output.cpp)
  [[nodiscard]] std::int32_t send(Connection &conn, const gantry_span *spans, std::uint32_t n);
  [[nodiscard]] std::uint8_t *reserve(Connection &conn, std::uint32_t n);
  void commit(Connection &conn, std::uint32_t n);

  // ---- events (events.cpp): conn 0 = all instances that listen
  void add_event(gantry_conn conn, const gantry_event &event);

  // ---- outbound (connect.cpp)
  void dial(std::unique_ptr<Dial> dial);

 private:
  inline static constinit thread_local Shard *current_ = nullptr;

  // loop
  void run();
  void turn();
  [[nodiscard]] std::span<const epoll_event> gather();
  [[nodiscard]] int sleep_ms() const;
  void refresh_clock();
  [[nodiscard]] bool work_waits() const;
  void dispatch(std::span<const epoll_event> events);
  void run_tasks();
  void accept_ready();
  void end_turn();
  bool run_hooks();
  bool deliver_completions();
  void shut_down();

  // lifecycle
  void on_ready(Connection &conn, std::uint32_t events);
  [[nodiscard]] bool wants_read(const Connection &conn) const;
  void update_interest(Connection &conn);
  void open_protocol(Connection &conn);
  void finish_closings();
  void finish_closing(Connection &conn);
  void set_deadline(Connection &conn);
  void look_at_socket(Connection &conn);
  void on_deadline(Connection &conn);
  [[nodiscard]] std::int64_t deadline_of(const Connection &conn) const;
  void sweep_drain();
  void report_if_drained();

  // input
  [[nodiscard]] std::uint8_t *cipher();
  void read_ready(Connection &conn);
  void read_large(Connection &conn);
  void read_failed(Connection &conn, long got, int error);
  [[nodiscard]] bool decide_transport(Connection &conn, const std::uint8_t *data);
  void take_cipher(Connection &conn, const std::uint8_t *data, std::size_t n);
  void step_handshake(Connection &conn);
  void take_plain(Connection &conn, std::uint8_t *data, std::size_t n);
  void consume(Connection &conn, const std::uint8_t *data, std::size_t n);
  void keep_input(Connection &conn, const std::uint8_t *data, std::size_t n);
  void retry_stalled();

  // output
  [[nodiscard]] bool may_queue(const Connection &conn, std::size_t bytes) const;
  TurnOutput &output_of(Connection &conn);
  void add_piece(TurnOutput &output, const std::uint8_t *p, std::uint32_t n, gantry_owner *owner);
  void mark_dirty(Connection &conn);
  void flush_dirty();
  void flush(Connection &conn);
  void flush_plain(Connection &conn);
  void flush_tls(Connection &conn);
  void write_pending(Connection &conn);
  void output_changed(Connection &conn);
  void drop_output(Connection &conn);
  [[nodiscard]] bool write_some(Connection &conn, const std::uint8_t *p, std::size_t n, std::size_t &written);
  [[nodiscard]] bool write_error(Connection &conn, int error);

  // outbound
  void dial_next(Connection &conn);
  void dial_ready(Connection &conn);
  void dial_failed(Connection &conn, std::int32_t code, const std::string &text, int error_number);

  // events
  bool deliver_events();

  struct Watch {
    int fd;
    gantry_task_fn fn;
    void *arg;
  };
  struct PendingEvent {
    gantry_conn conn;
    gantry_event event;
  };

  Counters counters_;
  Inbox inbox_;
  std::atomic<bool> sleeping_{false};
  std::thread thread_;
  Poller poller_;
  bool stopping_ = false;

  std::int64_t now_ms_ = 0, wall_ms_ = 0, wall_offset_ns_ = 0, offset_read_ms_ = 0;
  Timers timers_;
  std::unordered_map<std::uint64_t, Watch> watches_;
  std::vector<Task> tasks_, local_tasks_, hooks_, hooks_running_;
  std::vector<gantry_cq> ready_queues_, queues_running_;
  std::vector<gantry_cqe> spare_cqes_;
  std::vector<PendingEvent> events_, events_running_;
  std::vector<Acceptor *> acceptors_;  // named by their place
  std::vector<Acceptor *> ready_acceptors_;

  ConnectionTable connections_;
  std::vector<std::uint64_t> dirty_, stalled_, closing_, swap_;
  std::vector<std::unique_ptr<TurnOutput>> spare_outputs_;
  Arena arena_;
  std::uint8_t *reserved_ = nullptr;
  std::uint32_t reserved_bytes_ = 0;
  std::unique_ptr<std::uint8_t[]> scratch_;  // kHeadBytes, then what was read
  std::unique_ptr<std::uint8_t[]> cipher_;   // TLS bytes as read; made at the first TLS connection
  std::uint64_t stall_timer_ = 0;
  bool draining_ = false;
  std::int64_t drain_started_ms_ = 0, drain_deadline_ms_ = 0, stop_reading_ms_ = 0;
};

}  // namespace gantry::io
