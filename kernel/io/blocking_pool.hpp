// A few threads for what may block: exec.offload and name lookups. Bounded queue.
#pragma once

#include <gantry/draft/host.h>

#include <cstdint>
#include <memory>

namespace gantry::io {

class BlockingPool {
 public:
  BlockingPool(std::uint32_t threads, std::uint32_t max_waiting);
  ~BlockingPool();  // stops
  BlockingPool(const BlockingPool &) = delete;
  BlockingPool &operator=(const BlockingPool &) = delete;

  // GANTRY_OK, E_AGAIN (queue full) or E_CLOSED (stopped). [thread: any]
  [[nodiscard]] std::int32_t run(gantry_task_fn fn, void *arg);
  void stop();  // refuses new jobs, runs those taken, joins. [thread: control]

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace gantry::io
