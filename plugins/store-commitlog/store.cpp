// Life cycle of a store.
#include "store.hpp"

#include "recovery.hpp"
#include "segment_files.hpp"

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kMinArenaBytes = 4ll << 20;  // a meta value of 1 MiB has to fit in half of it
}

Result<std::unique_ptr<Store>> Store::create(const gantry_host *host, const gantry_config *config, StoreParts parts) {
  Result<Host> services = Host::from(host);
  if (!services) return std::move(services.error());
  Result<Options> options = Options::from(*config);
  if (!options) return std::move(options.error());
  Result<Arena *> arena = Arena::create(static_cast<std::uint64_t>(std::max(options->hot_cache_bytes, kMinArenaBytes)));
  if (!arena) return std::move(arena.error());
  return std::unique_ptr<Store>(new Store(*services, *options, std::move(parts), **arena));
}

Store::Store(const Host &host, Options options, StoreParts parts, Arena &arena)
    : make_engine_(std::move(parts.make_engine)),
      core_(host, std::move(options), parts.files != nullptr ? std::move(parts.files) : std::make_unique<Files>(), arena),
      hot_(core_),
      references_(core_) {}

Store::~Store() { stop(); }

Result<std::unique_ptr<IoEngine>> Store::make_engine() {
  if (make_engine_) return make_engine_();
  if (core_.options.engine == "pwrite") return make_pwrite_engine("configured");
  Result<std::unique_ptr<IoEngine>> ring = make_uring_engine();
  if (ring) return ring;
  if (core_.options.engine == "io_uring") {
    return Error{GANTRY_E_CONFIG, "engine = \"io_uring\" but the kernel refuses it: " + ring.error().text + "; use engine = \"auto\"", ring.error().detail};
  }
  core_.log(GANTRY_LOG_WARN, "io_uring is refused (" + ring.error().text + "): the log is written by a thread, at a higher cost per batch");
  return make_pwrite_engine(ring.error().text);
}

Result<void> Store::open(const gantry_store_open &args, const gantry_recovery_sink &sink) {
  if (opened_) return Error{GANTRY_E_INVALID, "the store is open already"};
  if (args.size < sizeof(gantry_store_open) || args.home_shard >= core_.host.shard_count() || args.default_durability > GANTRY_DURABILITY_DURABLE) {
    return Error{GANTRY_E_INVALID, "store open: size, home_shard or default_durability is out of range"};
  }
  core_.data_dir.assign(args.data_dir.p, args.data_dir.n);
  core_.log_dir = core_.data_dir + "/commitlog";
  core_.index_dir = core_.data_dir + "/index";
  core_.home_shard = args.home_shard;
  core_.consumption = args.consumption;
  core_.default_durability = args.default_durability != GANTRY_DURABILITY_DEFAULT ? args.default_durability : GANTRY_DURABILITY_DURABLE;
  for (const std::string &dir : {core_.log_dir, core_.index_dir}) {
    if (const int rc = core_.files->make_dir(dir); rc != 0) return file_error("create folder", dir, rc);
  }
  if (const int rc = core_.files->sync_dir(core_.data_dir); rc != 0) return file_error("sync folder", core_.data_dir, rc);
  remove_leftovers(core_);
  GANTRY_TRY(recover(core_, sink));
  opened_ = true;
  return started_ ? serve() : Result<void>();
}

Result<void> Store::start() {
  started_ = true;
  return opened_ ? serve() : Result<void>();
}

// Opened and started: threads, I/O, requests.
Result<void> Store::serve() {
  Result<std::unique_ptr<IoEngine>> engine = make_engine();
  if (!engine) return std::move(engine.error());
  pump_ = std::make_unique<Pump>(core_, std::move(*engine));
  background_ = std::make_unique<Background>(core_);
  readers_ = std::make_unique<Readers>(core_);
  scrubber_ = std::make_unique<Scrubber>(core_);
  core_.wake_home = [this] { pump_->wake(); };
  core_.wake_background = [this] { background_->wake(); };
  core_.wake_flusher = [this] { background_->wake_flusher(); };
  GANTRY_TRY(pump_->start());
  background_->start();
  readers_->start();
  scrubber_->start();
  serving_.store(true, std::memory_order_release);
  core_.log(GANTRY_LOG_INFO, "store open: " + pump_->engine_description() + ", log " + std::to_string(core_.segments.live.front()->base.v) + ".." +
                                 std::to_string(core_.writer.next_pos().v) + ", " + std::to_string(core_.queues.alive()) + " queues");
  return {};
}

void Store::stop() {
  started_ = false;
  if (!serving_.exchange(false)) return;
  {
    const std::lock_guard lock(core_.mutex);
    core_.stopping = true;
  }
  scrubber_->stop();
  readers_->stop();
  pump_->drain();
  background_->stop();
  pump_->quiesce();
  core_.wake_home = core_.wake_background = core_.wake_flusher = [] {};
}

}  // namespace gantry::commitlog
