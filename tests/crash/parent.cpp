// Starts writers, kills them, has the rest compared; same folder through all rounds.
#include "model.h"

#include "support/test_util.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <cstdio>
#include <random>

namespace gantry::test::crash {

namespace {
using Clock = std::chrono::steady_clock;

class Parent {
 public:
  explicit Parent(const Options &options) : options_(options), random_(options.seed) {}

  int run() {
    std::printf("store-crash: seed %lu, %lu rounds, level %u, %s\n", options_.seed, options_.rounds, options_.level, options_.plugin.c_str());
    for (std::uint64_t round = 0; round < options_.rounds; ++round) {
      expected_.round = round;
      expected_.last_meta = kNone;
      if (!write_and_kill(round)) return failed(round);
      if (!compare()) {
        if (!options_.expect_loss) return failed(round);
        std::printf("store-crash: the loss was noticed in round %lu\n", round);
        return 0;
      }
    }
    if (options_.expect_loss) {
      std::fprintf(stderr, "store-crash: nothing was lost in %lu rounds, or the loss was not noticed\n", options_.rounds);
      return 1;
    }
    std::printf("store-crash: %lu acknowledged records, %lu of them with the body of another, all there after %lu kills\n", expected_.acknowledged, expected_.referring, options_.rounds);
    if (options_.bases && expected_.referring < expected_.acknowledged / 20) return 1;
    // A run that acknowledged next to nothing has shown nothing.
    return expected_.acknowledged > options_.rounds * 20 ? 0 : 1;
  }

 private:
  int failed(std::uint64_t round) {
    work_.keep();
    std::fprintf(stderr, "store-crash: FAILED in round %lu; again with --seed=%lu; what is left is in %s\n", round, options_.seed, work_.str().c_str());
    return 1;
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::string dir() const { return work_.str() + "/data"; }
  std::string found() const { return work_.str() + "/found"; }

  bool write_and_kill(std::uint64_t round) {
    std::filesystem::create_directory(dir());
    int ends[2];
    require(::pipe(ends) == 0, "pipe failed");
    const pid_t child = ::fork();
    require(child >= 0, "fork failed");
    if (child == 0) {
      ::close(ends[0]);
      run_writer(options_, dir(), round, ends[1]);
    }
    ::close(ends[1]);
    // Some rounds die early, many of them while recovering; the others under load, after so many acknowledgements.
    const bool early = below(5) == 0;
    const std::size_t goal = early ? ~std::size_t{0} : 1 + below(2500);
    const auto limit = Clock::now() + (early ? std::chrono::microseconds(below(60000)) : std::chrono::seconds(60));
    bool ok = gather(ends[0], goal, limit);
    if (!early && ok && Clock::now() >= limit) {
      std::fprintf(stderr, "store-crash: round %lu: too few acknowledgements in a minute\n", round);
      ok = false;
    }
    if (ok) ::usleep(static_cast<useconds_t>(below(3000)));
    ::kill(child, SIGKILL);
    // What the pipe still holds was acknowledged as well.
    ok = gather(ends[0], ~std::size_t{0}, Clock::now() + std::chrono::seconds(60)) && ok;
    ::close(ends[0]);
    int status = 0;
    return ::waitpid(child, &status, 0) == child && ok;
  }

  // Takes acknowledgements until n came, the pipe ended or the time is over. False: the writer reported a fault.
  bool gather(int fd, std::size_t n, Clock::time_point limit) {
    for (std::size_t count = 0; count < n;) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(limit - Clock::now()).count();
      pollfd ready{fd, POLLIN, 0};
      const timespec wait{left / 1000000, left % 1000000 * 1000};
      if (left <= 0 || ::ppoll(&ready, 1, &wait, nullptr) <= 0) return true;
      char bytes[1 << 14];
      const ssize_t got = ::read(fd, bytes, sizeof bytes);
      if (got <= 0) return true;
      pending_.append(bytes, static_cast<std::size_t>(got));
      Ack ack;
      std::size_t used = 0;
      for (; pending_.size() - used >= sizeof ack; used += sizeof ack, ++count) {
        std::memcpy(&ack, pending_.data() + used, sizeof ack);
        if (!take(ack)) return false;
      }
      pending_.erase(0, used);
    }
    return true;
  }

  bool take(const Ack &ack) {
    if (ack.kind == Ack::kFault) {
      std::fprintf(stderr, "store-crash: the store answered code %ld for serial %lu\n", ack.offsets[0], ack.serial);
      return false;
    }
    if (ack.kind == Ack::kMeta) {
      expected_.last_meta = expected_.last_meta == kNone ? ack.serial : std::max(expected_.last_meta, ack.serial);
      return true;
    }
    const RecordSpec spec = record_of(ack.serial);
    const auto names = queues_of_round(ack.serial / kPerRound);
    for (std::size_t i = 0; i < spec.queues.size(); ++i) {
      auto &places = expected_.queues[names[spec.queues[i]]];
      const auto offset = static_cast<std::size_t>(ack.offsets[i]);
      if (offset >= places.size()) places.resize(offset + 1);
      if (places[offset].serial != kNone) {
        std::fprintf(stderr, "store-crash: offset %zu was given to record %lu and to %lu\n", offset, places[offset].serial, ack.serial);
        return false;
      }
      places[offset] = {ack.serial, ack.phys_pos};
    }
    ++expected_.acknowledged;
    expected_.referring += ack.refers;
    return true;
  }

  // In a process of its own, which stops the store in half of the rounds and dies in the others, so that recovery
  // meets checkpoints of all ages.
  bool compare() {
    pending_.clear();
    const bool stop_cleanly = below(2) == 0;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    require(child >= 0, "fork failed");
    if (child == 0) ::_exit(verify(options_, dir(), expected_, found(), stop_cleanly) ? 0 : 1);
    int status = 0;
    require(::waitpid(child, &status, 0) == child, "waitpid failed");
    if (!WIFEXITED(status)) std::fprintf(stderr, "store-crash: the verifier died of signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && load_found(found(), expected_);
  }

  const Options &options_;
  std::mt19937_64 random_;
  TempDir work_;
  Expected expected_;
  std::string pending_;
};
}  // namespace

int run_parent(const Options &options) { return Parent(options).run(); }

}  // namespace gantry::test::crash
