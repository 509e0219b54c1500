// The process that will be killed: appends and writes meta rows as fast as the store takes them, reports each acknowledgement.
#include "model.h"

#include "support/plugin_loader.h"
#include "support/test_util.h"

#include <unistd.h>

#include <array>
#include <cstdio>

namespace gantry::test::crash {

namespace {
constexpr std::size_t kWindow = 400;  // records in flight: several turns' worth, so that a kill finds some at every stage

class Writer {
 public:
  Writer(StoreInstance &store, const Options &options, std::uint64_t round, int fd) : store_(store), bases_(options.bases), round_(round), fd_(fd), next_(round * kPerRound) {
    next_meta_ = next_;
    for (const auto &[topic, queue_no] : queues_of_round(round)) queues_.push_back(store.queue(topic, queue_no));
    const gantry_host *host = store.host().abi();
    cq_ = static_cast<const gantry_cq_v1 *>(host->query(host, GANTRY_CQ_ID))->create(host, 0, ready, this);
  }

  [[noreturn]] void run() {
    for (;;) {
      while (waiting_.size() < kWindow && append_some()) {
      }
      if (meta_waiting_ < 8) write_meta();
      store_.host().turn(1);
      flush_acks();
    }
  }

 private:
  struct Waiting {
    std::array<std::int64_t, 2> offsets;  // given at once
    bool refers;
  };

  // Log position of the record whose body this one is to share; negative: it is sent whole.
  std::int64_t base_of(std::uint64_t serial) const {
    if (!bases_ || serial == whole_) return -1;
    const auto at = stored_.find(body_source(serial));
    return at != stored_.end() && body_of(record_of(serial).bytes).size() >= 2 * kOwnBodyBytes ? at->second : -1;
  }

  bool append_some() {
    const std::size_t n = 1 + next_ * 2654435761u % 7;
    std::vector<Message> messages(n);
    std::vector<std::int64_t> bases(n, -1);
    for (std::size_t i = 0; i < n; ++i) {
      const RecordSpec spec = record_of(next_ + i);
      messages[i].bytes = spec.bytes;
      messages[i].store_ms = spec.store_ms;
      messages[i].key_hashes = spec.key_hashes;
      for (std::size_t l = 0; l < spec.queues.size(); ++l) messages[i].links.push_back({queues_[spec.queues[l]], spec.tags[l]});
      bases[i] = base_of(next_ + i);
      if (bases[i] >= 0) {
        messages[i].cuts = {kRecordHeadBytes + kOwnBodyBytes};
        messages[i].bytes.erase(kRecordHeadBytes + kOwnBodyBytes, body_of(spec.bytes).size() - kOwnBodyBytes);
      }
    }
    AppendBatch batch(messages.data(), n, next_);
    for (std::size_t i = 0; i < n; ++i) {
      if (bases[i] < 0) continue;
      gantry_append &request = batch.data()[i];
      request.base_pos = bases[i];
      request.base_skip = static_cast<std::uint32_t>(kRecordHeadBytes + kOwnBodyBytes);
      request.base_bytes = static_cast<std::uint32_t>(body_of(record_of(next_ + i).bytes).size() - kOwnBodyBytes);
      request.bytes += request.base_bytes;
    }
    const std::int32_t rc = store_.table().append(store_.self(), 0, batch.data(), batch.size(), cq_);
    if (rc == GANTRY_E_STALE && bases[0] >= 0) {
      whole_ = next_;
      return true;
    }
    if (rc < 0 && rc != GANTRY_E_AGAIN) fault(next_, rc);
    for (std::int32_t i = 0; i < rc; ++i) {
      const auto index = static_cast<std::size_t>(i);
      waiting_.emplace(next_ + index, Waiting{{messages[index].offsets[0], messages[index].offsets.size() > 1 ? messages[index].offsets[1] : -1}, bases[index] >= 0});
    }
    if (rc > 0) next_ += static_cast<std::uint64_t>(rc);
    return rc == static_cast<std::int32_t>(n);
  }

  void write_meta() {
    const std::vector<MetaOp> ops = meta_of(next_meta_);
    std::vector<gantry_meta_op> c;
    for (const MetaOp &op : ops) c.push_back({op.op, 0, str_of(op.key), str_of(op.value)});
    const std::int32_t rc = store_.table().meta_write(store_.self(), c.data(), static_cast<std::uint32_t>(c.size()),
                                                      GANTRY_DURABILITY_DEFAULT, next_meta_ | kMetaBit, cq_);
    if (rc == GANTRY_E_AGAIN) return;
    if (rc < 0) fault(next_meta_, rc);
    ++next_meta_;
    ++meta_waiting_;
  }

  static void ready(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
    auto *writer = static_cast<Writer *>(self);
    for (std::uint32_t i = 0; i < n; ++i) writer->acknowledge(cqes[i]);
  }

  void acknowledge(const gantry_cqe &cqe) {
    const std::uint64_t serial = cqe.user_data & ~kMetaBit;
    if (cqe.status != GANTRY_OK) fault(serial, cqe.status);
    Ack ack;
    ack.serial = serial;
    if ((cqe.user_data & kMetaBit) != 0) {
      ack.kind = Ack::kMeta;
      --meta_waiting_;
    } else {
      const auto at = waiting_.find(serial);
      if (at == waiting_.end() || static_cast<std::int64_t>(cqe.aux) != at->second.offsets[0]) fault(serial, GANTRY_E_INTERNAL);
      ack.kind = Ack::kRecord;
      ack.phys_pos = cqe.result;
      ack.offsets[0] = at->second.offsets[0];
      ack.offsets[1] = at->second.offsets[1];
      ack.refers = at->second.refers ? 1 : 0;
      stored_[serial] = cqe.result;
      waiting_.erase(at);
    }
    acks_.push_back(ack);
  }

  void flush_acks() {
    const auto *bytes = reinterpret_cast<const char *>(acks_.data());
    for (std::size_t left = acks_.size() * sizeof(Ack); left > 0;) {
      const ssize_t n = ::write(fd_, bytes, left);
      if (n <= 0) ::_exit(3);  // the parent is gone
      bytes += n;
      left -= static_cast<std::size_t>(n);
    }
    acks_.clear();
  }

  [[noreturn]] void fault(std::uint64_t serial, std::int32_t code) {
    acks_.push_back({Ack::kFault, serial, 0, 0, {code, 0}});
    flush_acks();
    for (const std::string &line : store_.host().log_lines()) std::fprintf(stderr, "  store's log: %s\n", line.c_str());
    ::_exit(4);
  }

  static constexpr std::uint64_t kMetaBit = std::uint64_t{1} << 63;

  StoreInstance &store_;
  const bool bases_;
  const std::uint64_t round_;
  const int fd_;
  std::vector<gantry_queue> queues_;
  gantry_cq cq_ = 0;
  std::uint64_t next_, next_meta_ = 0;
  std::size_t meta_waiting_ = 0;
  std::map<std::uint64_t, Waiting> waiting_;
  std::map<std::uint64_t, std::int64_t> stored_;  // acknowledged: log position
  std::uint64_t whole_ = kNone;                   // the store takes no reference for this one
  std::vector<Ack> acks_;
};
}  // namespace

void run_writer(const Options &options, const std::string &dir, std::uint64_t round, int fd) {
  FakeHost host;
  host.start_wall_at(kTestWallMs + static_cast<std::int64_t>(round * kPerRound / 16));
  StoreInstance store(host, component_of(load_plugin(options.plugin), GANTRY_STORE_ID), options.config);
  if (store.open(dir, options.level) != GANTRY_OK) {
    std::fprintf(stderr, "writer: open failed: %s\n", store.error().text);
    const Ack ack{Ack::kFault, 0, 0, 0, {store.error().code, 0}};
    [[maybe_unused]] const ssize_t n = ::write(fd, &ack, sizeof ack);
    ::_exit(4);
  }
  Writer(store, options, round, fd).run();
}

}  // namespace gantry::test::crash
