// The shards: one thread and one event loop each, and everything that runs on them - connections, timers, completion queues, posts.
#pragma once

#include <gantry/draft/protocol.h>

#include <cstdint>
#include <memory>

#include "kernel/base/host_context.hpp"
#include "kernel/io/options.hpp"
#include <gantry++/result.hpp>

namespace gantry::io {

struct ShardSetInner;

// Life: create -> (listen)* -> start -> (listen, connections, ...) -> begin_drain -> wait_drained -> stop -> destructor.
// Unless a function says otherwise it is called by the control thread, one at a time.
class ShardSet {
 public:
  // E_INVALID: an option is out of range. E_CONFIG: the CA file cannot be used. E_IO: the process is out of descriptors.
  [[nodiscard]] static Result<std::unique_ptr<ShardSet>> create(const IoOptions &options);
  ~ShardSet();  // stops
  ShardSet(const ShardSet &) = delete;
  ShardSet &operator=(const ShardSet &) = delete;

  // Adds the clock, exec, completion queue and net tables. Instances find this object through HostContext::io, which main sets.
  void add_services(ServiceTables &tables);

  // Starts the shard threads. Posts, timers, watches and listeners made before wait until then.
  [[nodiscard]] Result<void> start();

  // Binds the main port and the extra ports of options.instance's protocol and accepts connections as soon as the shards run.
  // The instance must be started. Errors name address, cause and remedy; nothing stays bound after an error.
  [[nodiscard]] Result<ListenerInfo> listen(const ListenOptions &options);

  // Reads certificates and keys of all listeners anew. After an error all listeners keep what they had.
  [[nodiscard]] Result<void> reload_tls();

  // Stops accepting and calls conn_drain on every connection. A connection is closed when its output is flushed and quiet, or after
  // timeout_ms from now. Returns at once; calling it again changes nothing.
  void begin_drain(std::int64_t timeout_ms);
  // Waits until begin_drain's connections are gone. True: all went in time. False: the rest was closed at the deadline.
  [[nodiscard]] bool wait_drained();
  // Closes what is open (conn_close with E_CLOSED on its shard), runs what was posted, joins the threads. Afterwards post and push
  // say E_CLOSED. Idempotent.
  void stop();

  // Gives one event to the instance that owns `conn`, on the connection's shard, at the end of a turn, in order of sending per
  // sending thread. A connection that is gone by then: the event is dropped. [thread: any]
  void send_event(gantry_conn conn, const gantry_event &event);
  // Gives one event to every protocol instance that listens, on shard 0 at the end of a turn. Equal events (kind, subject, object)
  // that wait there already are coalesced. [thread: any]
  void send_event_to_all(const gantry_event &event);

  [[nodiscard]] std::uint32_t shard_count() const;
  [[nodiscard]] IoStats stats() const;  // [thread: any]

  // The parts of io among themselves.
  [[nodiscard]] ShardSetInner &inner() { return *inner_; }

 private:
  explicit ShardSet(std::unique_ptr<ShardSetInner> inner);
  std::unique_ptr<ShardSetInner> inner_;
};

}  // namespace gantry::io
