#include <utility>  // Asio 1.81 needs it before its own headers in C++20

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "kernel/io/blocking_pool.hpp"

#include <mutex>

namespace gantry::io {

struct BlockingPool::Inner {
  Inner(std::uint32_t threads, std::uint32_t max) : pool(threads), max_waiting(max) {}
  boost::asio::thread_pool pool;
  const std::uint32_t max_waiting;
  std::mutex mutex;
  std::uint32_t waiting = 0;
  bool stopped = false;
};

BlockingPool::BlockingPool(std::uint32_t threads, std::uint32_t max_waiting) : inner_(std::make_unique<Inner>(threads, max_waiting)) {}

BlockingPool::~BlockingPool() { stop(); }

std::int32_t BlockingPool::run(gantry_task_fn fn, void *arg) {
  const std::lock_guard lock(inner_->mutex);
  if (inner_->stopped) return GANTRY_E_CLOSED;
  if (inner_->waiting == inner_->max_waiting) return GANTRY_E_AGAIN;
  ++inner_->waiting;
  boost::asio::post(inner_->pool, [inner = inner_.get(), fn, arg] {
    {
      const std::lock_guard started(inner->mutex);
      --inner->waiting;
    }
    fn(arg);
  });
  return GANTRY_OK;
}

void BlockingPool::stop() {
  {
    const std::lock_guard lock(inner_->mutex);
    if (std::exchange(inner_->stopped, true)) return;
  }
  inner_->pool.join();
}

}  // namespace gantry::io
