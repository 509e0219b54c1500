#include "rawdisk/writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "wire/clock.hpp"
#include "wire/socket.hpp"

#ifdef GANTRY_BENCH_HAS_LIBURING
#include <liburing.h>
#endif

namespace gantry::bench {

namespace {

constexpr std::size_t kAlignment = 4096;
constexpr std::size_t kFillBlock = 1u << 20;

[[noreturn]] void fail(const std::string &file, const char *step, int error) {
  throw BenchError(file + ": cannot " + step + ": " + std::strerror(error));
}

struct Freed {
  void operator()(char *memory) const { std::free(memory); }
};
using Block = std::unique_ptr<char, Freed>;

Block make_block(std::size_t size) {
  Block block(static_cast<char *>(std::aligned_alloc(kAlignment, size)));
  for (std::size_t i = 0; i < size; ++i) block.get()[i] = static_cast<char>(i * 131 + (i >> 9));
  return block;
}

/// Opens with O_DIRECT where the file system has it; `direct` tells.
Fd open_file(const DiskOptions &options, bool &direct) {
  const int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
  direct = options.method != DiskMethod::kBuffered;
  Fd file(open(options.file.c_str(), flags | (direct ? O_DIRECT : 0), 0600));
  if (file.get() < 0 && errno == EINVAL && options.method == DiskMethod::kAuto) {
    direct = false;
    file = Fd(open(options.file.c_str(), flags, 0600));
  }
  if (file.get() < 0) fail(options.file, "open it", errno);
  return file;
}

/// Writes the whole file once, so that later writes overwrite blocks that exist.
void fill(const DiskOptions &options, int fd) {
  const Block block = make_block(kFillBlock);
  for (std::uint64_t at = 0; at < options.file_size; at += kFillBlock) {
    const ssize_t n = pwrite(fd, block.get(), kFillBlock, static_cast<off_t>(at));
    if (n != static_cast<ssize_t>(kFillBlock)) fail(options.file, "fill it", n < 0 ? errno : ENOSPC);
  }
  if (fsync(fd) != 0) fail(options.file, "flush it", errno);
}

/// Where the next block goes; wraps around at the end of the file.
class Places {
 public:
  explicit Places(const DiskOptions &options) : options_(options) {}
  std::uint64_t next() {
    if (at_ + options_.block > options_.file_size) at_ = 0;
    const std::uint64_t place = at_;
    at_ += options_.block;
    return place;
  }

 private:
  const DiskOptions &options_;
  std::uint64_t at_ = 0;
};

void write_one_by_one(const DiskOptions &options, int fd, DiskResult &result) {
  const Block block = make_block(options.block);
  Places places(options);
  const std::uint64_t start_ns = monotonic_ns();
  const std::uint64_t end_ns = start_ns + static_cast<std::uint64_t>(options.duration_s * 1e9);
  std::uint64_t now_ns = start_ns;
  while (now_ns < end_ns) {
    iovec part{block.get(), options.block};
    const int flags = result.method == DiskMethod::kSyncDirect ? RWF_DSYNC : 0;
    const ssize_t n = pwritev2(fd, &part, 1, static_cast<off_t>(places.next()), flags);
    if (n != static_cast<ssize_t>(options.block)) fail(options.file, "write", n < 0 ? errno : ENOSPC);
    if (result.method == DiskMethod::kBuffered && fdatasync(fd) != 0) fail(options.file, "flush it", errno);
    const std::uint64_t done_ns = monotonic_ns();
    result.latency.record(done_ns - now_ns);
    ++result.writes;
    now_ns = done_ns;
  }
  result.elapsed_s = static_cast<double>(now_ns - start_ns) / 1e9;
}

#ifdef GANTRY_BENCH_HAS_LIBURING

/// An io_uring, when the kernel grants one.
class Ring {
 public:
  explicit Ring(unsigned entries) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    usable_ = io_uring_queue_init_params(entries, &ring_, &params) == 0;
    if (!usable_) usable_ = io_uring_queue_init(entries, &ring_, 0) == 0;
  }
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;
  ~Ring() {
    if (usable_) io_uring_queue_exit(&ring_);
  }
  [[nodiscard]] bool is_usable() const { return usable_; }
  io_uring *get() { return &ring_; }

 private:
  io_uring ring_{};
  bool usable_ = false;
};

bool write_by_ring(const DiskOptions &options, int fd, DiskResult &result) {
  Ring ring(options.depth);
  if (!ring.is_usable()) return false;
  std::vector<Block> blocks;
  std::vector<std::uint64_t> started_ns(options.depth);
  for (unsigned i = 0; i < options.depth; ++i) blocks.push_back(make_block(options.block));
  Places places(options);
  const auto queue = [&](unsigned slot) {
    io_uring_sqe *entry = io_uring_get_sqe(ring.get());
    io_uring_prep_write(entry, fd, blocks[slot].get(), static_cast<unsigned>(options.block), places.next());
    entry->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data64(entry, slot);
    started_ns[slot] = monotonic_ns();
  };
  const std::uint64_t start_ns = monotonic_ns();
  const std::uint64_t end_ns = start_ns + static_cast<std::uint64_t>(options.duration_s * 1e9);
  for (unsigned slot = 0; slot < options.depth; ++slot) queue(slot);
  std::uint64_t now_ns = start_ns;
  for (unsigned open = options.depth; open > 0;) {
    const int submitted = io_uring_submit_and_wait(ring.get(), 1);
    if (submitted < 0) fail(options.file, "submit a write", -submitted);
    io_uring_cqe *done = nullptr;
    while (io_uring_peek_cqe(ring.get(), &done) == 0) {
      const auto slot = static_cast<unsigned>(io_uring_cqe_get_data64(done));
      const int written = done->res;
      io_uring_cqe_seen(ring.get(), done);
      if (written != static_cast<int>(options.block)) fail(options.file, "write", written < 0 ? -written : ENOSPC);
      now_ns = monotonic_ns();
      result.latency.record(now_ns - started_ns[slot]);
      ++result.writes;
      if (now_ns < end_ns) {
        queue(slot);
      } else {
        --open;
      }
    }
  }
  result.elapsed_s = static_cast<double>(now_ns - start_ns) / 1e9;
  return true;
}

#else

bool write_by_ring(const DiskOptions &, int, DiskResult &) { return false; }

#endif

}  // namespace

const char *name_of(DiskMethod method) {
  switch (method) {
    case DiskMethod::kAuto: return "auto";
    case DiskMethod::kRing: return "io_uring, O_DIRECT, RWF_DSYNC";
    case DiskMethod::kSyncDirect: return "pwritev2, O_DIRECT, RWF_DSYNC";
    case DiskMethod::kBuffered: return "pwrite, fdatasync";
  }
  return "?";
}

DiskResult write_blocks(const DiskOptions &options) {
  bool direct = false;
  const Fd file = open_file(options, direct);
  // The name goes now, so that nothing is left behind however the run ends.
  unlink(options.file.c_str());
  if (!options.fresh) fill(options, file.get());

  DiskResult result;
  const std::uint64_t cpu_before_us = own_cpu_us();
  result.method = DiskMethod::kRing;
  const bool try_ring = direct && (options.method == DiskMethod::kAuto || options.method == DiskMethod::kRing);
  if (!try_ring || !write_by_ring(options, file.get(), result)) {
    if (options.method == DiskMethod::kRing) {
      throw BenchError("io_uring is not available: the kernel refuses it or this was built without liburing");
    }
    result.method = direct ? DiskMethod::kSyncDirect : DiskMethod::kBuffered;
    write_one_by_one(options, file.get(), result);
  }
  result.cpu_us = own_cpu_us() - cpu_before_us;
  return result;
}

}  // namespace gantry::bench
