#include "loadgen/send_load.hpp"

#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "loadgen/setup.hpp"
#include "wire/clock.hpp"

namespace gantry::bench {

namespace {

constexpr std::string_view kBornPlaceholder = "1111111111111";
constexpr std::size_t kKeyRunDigits = 24;
constexpr std::size_t kKeyCountDigits = 8;

/// 24 hexadecimal digits that differ between runs; the other 8 of a unique key count messages.
std::string run_digits() {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::random_device entropy;
  std::string digits;
  while (digits.size() < kKeyRunDigits) digits.push_back(kHex[entropy() & 15u]);
  return digits;
}

void write_hex(char *at, std::uint64_t value, std::size_t digits) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (std::size_t i = digits; i-- > 0; value >>= 4) at[i] = kHex[value & 15u];
}

/// Bytes that do not compress to nothing, the same in every run.
std::string make_body(std::uint64_t size) {
  std::string body(size, '\0');
  std::minstd_rand random(7);
  for (char &c : body) c = static_cast<char>(' ' + random() % 95);
  return body;
}

}  // namespace

SendFrames::Prepared SendFrames::prepare(const Options &options, const std::string &queue, const std::string &run, unsigned number,
                                         const std::string &body) {
  const Fields fields = send_fields(options, queue, std::string(kBornPlaceholder), run + std::string(kKeyCountDigits, '0'), number);
  BuiltFrame built = build_request(options.header, RequestCode::kSendMessageV2, kFirstOpaque, fields, body);
  built.bytes.resize(built.bytes.size() - body.size());
  const std::size_t born_at = built.bytes.rfind(kBornPlaceholder);
  const std::size_t key_at = built.bytes.rfind(run);
  return {std::move(built.bytes), built.opaque_at, born_at, key_at + kKeyRunDigits, 0};
}

SendFrames::SendFrames(const Options &options) : queues_(options.queues), body_(make_body(options.size)), born_text_(kBornPlaceholder) {
  const std::string run = run_digits();
  if (options.topics > 1 || options.zipf > 0) {
    spread_.emplace(std::uint64_t{options.topics} * options.queues, options.zipf, options.seed);
    Options one = options;
    for (unsigned i = 0; i < options.topics; ++i) {
      one.topic = topic_name(options, i);
      prepared_.push_back(prepare(one, std::string(kQueueDigits, '0'), run, 0, body_));
      // Where the queue stands is where a frame for another queue differs first.
      const std::string other = prepare(one, std::string(kQueueDigits, '9'), run, 0, body_).head;
      prepared_.back().queue_at = static_cast<std::size_t>(std::mismatch(other.begin(), other.end(), prepared_.back().head.begin()).first - other.begin());
    }
  } else {
    for (unsigned i = 0; i < options.queues * options.variants; ++i)
      prepared_.push_back(prepare(options, std::to_string(i % options.queues), run, i / options.queues, body_));
  }
  set_born_time(wall_ms());
}

void SendFrames::set_born_time(std::uint64_t born_ms) { write_digits(born_text_.data(), born_ms, born_text_.size()); }

void SendFrames::issue(Engine &engine, unsigned connection, std::uint64_t start_ns) {
  const std::uint64_t queue = spread_ ? spread_->queue_of(issued_) : 0;
  const Prepared &prepared = spread_ ? prepared_[queue / queues_] : prepared_[issued_ % prepared_.size()];
  char *frame = engine.issue(connection, start_ns, 0, prepared.head, body_, prepared.opaque_at);
  std::memcpy(frame + prepared.born_at, born_text_.data(), born_text_.size());
  write_hex(frame + prepared.key_count_at, issued_, kKeyCountDigits);
  if (spread_) write_digits(frame + prepared.queue_at, queue % queues_, kQueueDigits);
  ++issued_;
}

void SendLoad::judge(const Reply &reply) {
  if (reply.header.code != static_cast<int>(ResponseCode::kSuccess)) {
    tally_.refuse(reply.header.code, reply.header.remark);
    return;
  }
  ++tally_.messages;
  tally_.body_bytes += options_.size;
  tally_.latency.record(reply.now_ns > reply.request.start_ns ? reply.now_ns - reply.request.start_ns : 0);
}

void ClosedSendLoad::begin(Engine &engine, std::uint64_t now_ns) {
  for (unsigned i = 0; i < options_.depth; ++i) {
    for (unsigned connection = 0; connection < options_.connections && !is_exhausted(); ++connection) {
      frames_.issue(engine, connection, now_ns);
    }
  }
}

void ClosedSendLoad::on_reply(Engine &engine, const Reply &reply) {
  judge(reply);
  if (!engine.is_stopping() && !is_exhausted()) frames_.issue(engine, reply.connection, reply.now_ns);
}

void ClosedSendLoad::on_tick(Engine &, std::uint64_t) { frames_.set_born_time(wall_ms()); }

OpenSendLoad::OpenSendLoad(const Options &options, Tally &tally)
    : SendLoad(options, tally),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      random_(options.seed),
      gap_s_(options.rate) {
  if (timer_.get() < 0) throw BenchError(std::string("cannot make a timer: ") + std::strerror(errno));
  // The default slack of 50 us would be counted as latency of the broker.
  prctl(PR_SET_TIMERSLACK, 1);
}

void OpenSendLoad::plan_next() { next_due_ns_ += static_cast<std::uint64_t>(gap_s_(random_) * 1e9) + 1; }

void OpenSendLoad::arm(const Engine &engine) {
  if (next_due_ns_ == armed_ns_ || engine.in_flight().size() >= options_.max_outstanding) return;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(next_due_ns_ / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(next_due_ns_ % 1'000'000'000u);
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  armed_ns_ = next_due_ns_;
}

void OpenSendLoad::begin(Engine &engine, std::uint64_t now_ns) {
  next_due_ns_ = now_ns;
  plan_next();
  arm(engine);
}

void OpenSendLoad::on_tick(Engine &engine, std::uint64_t now_ns) {
  std::uint64_t expirations = 0;
  if (now_ns >= armed_ns_ && read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EAGAIN) {
    throw BenchError(std::string("cannot read the timer: ") + std::strerror(errno));
  }
  if (next_due_ns_ <= now_ns) frames_.set_born_time(wall_ms());
  while (next_due_ns_ <= now_ns && next_due_ns_ < engine.end_ns() && !is_exhausted() &&
         engine.in_flight().size() < options_.max_outstanding) {
    frames_.issue(engine, turn_++ % options_.connections, next_due_ns_);
    plan_next();
  }
  arm(engine);
}

void OpenSendLoad::count_unsent(const Engine &engine) {
  for (; next_due_ns_ < engine.end_ns() && !is_exhausted(); plan_next()) ++tally_.unsent;
}

}  // namespace gantry::bench
