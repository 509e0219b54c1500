#define FUSE_USE_VERSION 312
#include "file_system.hpp"

#include <fuse_lowlevel.h>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <random>
#include <thread>

namespace gantry::test::powercut {

namespace {

constexpr std::uint64_t kUnit = 4096;
constexpr std::size_t kLargestWrite = 1u << 20;

World &world_of(fuse_req_t req) { return *static_cast<World *>(fuse_req_userdata(req)); }

// One request: notes the power's state when it begins and compares it before it answers well.
class Request {
 public:
  explicit Request(fuse_req_t req) : req_(req), world_(world_of(req)), state_(world_.power.state()) {}

  [[nodiscard]] World &world() const { return world_; }
  [[nodiscard]] Disk &disk() const { return world_.disk; }
  [[nodiscard]] bool powered() const { return state_ % 2 == 0 && world_.power.state() == state_; }

  // What the request fails with before it has done anything; 0: it may begin.
  [[nodiscard]] int begin(Op op, fuse_ino_t id, const char *name = "") const {
    if (!powered()) return -EIO;
    const int rc = world_.faults.check(op, world_.disk.path_of(id, name));
    return powered() ? rc : -EIO;
  }

  // Answers with an error when there is one, or the power went meanwhile.
  [[nodiscard]] bool failed(std::int64_t rc) const {
    const int error = !powered() ? EIO : rc < 0 ? static_cast<int>(-rc) : 0;
    if (error != 0) fuse_reply_err(req_, error);
    return error != 0;
  }

  void answer(std::int64_t rc) const {
    if (!failed(rc)) fuse_reply_err(req_, 0);
  }

  void flush_takes_its_time() const {
    if (world_.flush_us == 0) return;
    thread_local std::minstd_rand random{std::random_device{}()};
    std::this_thread::sleep_for(std::chrono::microseconds(random() % world_.flush_us));
  }

 private:
  fuse_req_t req_;
  World &world_;
  const std::uint64_t state_;
};

void fill(struct stat *out, const Disk::Status &from) {
  *out = {};
  out->st_uid = ::getuid();
  out->st_gid = ::getgid();
  out->st_ino = from.id;
  out->st_mode = (from.folder ? S_IFDIR : S_IFREG) | (from.mode & 07777);
  out->st_nlink = from.folder ? 2 : 1;
  out->st_size = from.bytes;
  out->st_blksize = kUnit;
  out->st_blocks = (from.bytes + 511) / 512;
  out->st_mtim = {from.changed_ms / 1000, from.changed_ms % 1000 * 1000000};
  out->st_atim = out->st_ctim = out->st_mtim;
}

// Nothing is cached beyond pages: after a cut every name and size is asked for again.
fuse_entry_param entry_of(const Disk::Status &status) {
  fuse_entry_param entry{};
  entry.ino = status.id;
  fill(&entry.attr, status);
  return entry;
}

void lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
  const Request request(req);
  Disk::Status status;
  int rc = request.begin(Op::kLookup, parent, name);
  if (rc == 0) rc = request.disk().find(parent, name, true, &status);
  if (request.failed(rc)) return;
  const fuse_entry_param entry = entry_of(status);
  fuse_reply_entry(req, &entry);
}

void forget(fuse_req_t req, fuse_ino_t id, std::uint64_t lookups) {
  world_of(req).disk.forget(id, lookups);
  fuse_reply_none(req);
}

void getattr(fuse_req_t req, fuse_ino_t id, fuse_file_info * /*file*/) {
  const Request request(req);
  Disk::Status status;
  if (request.failed(request.powered() ? request.disk().status(id, &status) : -EIO)) return;
  struct stat out;
  fill(&out, status);
  fuse_reply_attr(req, &out, 0);
}

void setattr(fuse_req_t req, fuse_ino_t id, struct stat *wanted, int what, fuse_file_info * /*file*/) {
  const Request request(req);
  int rc = request.powered() ? 0 : -EIO;
  if (rc == 0 && (what & FUSE_SET_ATTR_SIZE) != 0) {
    rc = request.begin(Op::kTruncate, id);
    if (rc == 0) rc = request.disk().truncate(id, wanted->st_size);
    if (rc == 0) request.world().power.step();
  }
  Disk::Status status;
  if (rc == 0) rc = request.disk().status(id, &status);  // modes and times are not kept
  if (request.failed(rc)) return;
  struct stat out;
  fill(&out, status);
  fuse_reply_attr(req, &out, 0);
}

int make(const Request &request, Op op, fuse_ino_t parent, const char *name, mode_t mode, Disk::Status *status) {
  int rc = request.begin(op, parent, name);
  if (rc == 0) rc = request.disk().make(parent, name, op == Op::kMakeFolder, mode, status);
  if (rc == 0) request.world().power.step();
  return rc;
}

void make_folder(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
  const Request request(req);
  Disk::Status status;
  if (request.failed(make(request, Op::kMakeFolder, parent, name, mode, &status))) return;
  const fuse_entry_param entry = entry_of(status);
  fuse_reply_entry(req, &entry);
}

int open_as_asked(World &world, fuse_file_info *file) {
  if ((file->flags & O_DIRECT) != 0) {
    if (world.refuse_direct) return -EINVAL;
    ++world.direct_opens;
  }
  file->direct_io = world.direct_io ? 1 : 0;
  return 0;
}

void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, fuse_file_info *file) {
  const Request request(req);
  Disk::Status status;
  int rc = open_as_asked(request.world(), file);
  if (rc == 0) rc = make(request, Op::kCreate, parent, name, mode, &status);
  if (request.failed(rc)) return;
  const fuse_entry_param entry = entry_of(status);
  fuse_reply_create(req, &entry, file);
}

void open(fuse_req_t req, fuse_ino_t id, fuse_file_info *file) {
  const Request request(req);
  int rc = request.begin(Op::kOpen, id);
  if (rc == 0) rc = open_as_asked(request.world(), file);
  if (!request.failed(rc)) fuse_reply_open(req, file);
}

void read(fuse_req_t req, fuse_ino_t id, size_t bytes, off_t offset, fuse_file_info * /*file*/) {
  const Request request(req);
  std::vector<std::uint8_t> out;
  std::int64_t rc = request.begin(Op::kRead, id);
  if (rc == 0) rc = request.disk().read(id, offset, bytes, &out);
  if (!request.failed(rc)) fuse_reply_buf(req, reinterpret_cast<const char *>(out.data()), out.size());
}

// The kernel passes O_DSYNC on, for RWF_DSYNC too, and may send a flush behind the write besides.
void write(fuse_req_t req, fuse_ino_t id, const char *data, size_t bytes, off_t offset, fuse_file_info *file) {
  const Request request(req);
  World &world = request.world();
  std::uint64_t change = 0;
  std::int64_t rc = request.begin(Op::kWrite, id);
  if (rc == 0) rc = request.disk().write(id, offset, reinterpret_cast<const std::uint8_t *>(data), bytes, &change);
  if (rc >= 0) {
    ++world.writes;
    world.power.step();
    if ((file->flags & O_DSYNC) != 0) {
      ++world.flushing_writes;
      int flushed = request.begin(Op::kFlush, id);
      if (flushed < 0 && request.powered()) (void)request.disk().fail_flush(id, change + 1);
      if (flushed == 0) {
        request.flush_takes_its_time();
        if (!world.lies) flushed = request.disk().flush_write(id, change);
      }
      if (flushed < 0) rc = flushed;
    }
  }
  if (!request.failed(rc)) fuse_reply_write(req, static_cast<size_t>(rc));
}

void fsync(fuse_req_t req, fuse_ino_t id, int /*datasync*/, fuse_file_info * /*file*/) {
  const Request request(req);
  const std::uint64_t begun = request.disk().begin_flush();
  int rc = request.begin(Op::kFlush, id);
  if (rc < 0 && request.powered()) {
    (void)request.disk().fail_flush(id, begun);
  } else if (rc == 0) {
    ++request.world().flushes;
    request.world().power.step();
    request.flush_takes_its_time();
    if (!request.world().lies) rc = request.disk().flush(id, begun);
  }
  request.answer(rc);
}

void fsync_folder(fuse_req_t req, fuse_ino_t id, int /*datasync*/, fuse_file_info * /*file*/) {
  const Request request(req);
  int rc = request.begin(Op::kFlushNames, id);
  if (rc == 0) {
    ++request.world().name_flushes;
    request.world().power.step();
    request.flush_takes_its_time();
    if (request.powered() && !request.world().lies) rc = request.disk().flush_names(id);
  }
  request.answer(rc);
}

void allocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t bytes, fuse_file_info * /*file*/) {
  const Request request(req);
  int rc = mode != 0 ? -EOPNOTSUPP : request.begin(Op::kAllocate, id);
  if (rc == 0) rc = request.disk().allocate(id, offset + bytes);
  if (rc == 0) request.world().power.step();
  request.answer(rc);
}

void remove(fuse_req_t req, fuse_ino_t parent, const char *name, bool folder) {
  const Request request(req);
  int rc = request.begin(Op::kRemove, parent, name);
  if (rc == 0) rc = request.disk().remove(parent, name, folder);
  if (rc == 0) request.world().power.step();
  request.answer(rc);
}
void remove_file(fuse_req_t req, fuse_ino_t parent, const char *name) { remove(req, parent, name, false); }
void remove_folder(fuse_req_t req, fuse_ino_t parent, const char *name) { remove(req, parent, name, true); }

void rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name, unsigned int flags) {
  const Request request(req);
  int rc = (flags & ~1u) != 0 ? -EINVAL : request.begin(Op::kRename, parent, name);
  if (rc == 0) rc = request.disk().rename(parent, name, to, to_name, flags == 0);
  if (rc == 0) request.world().power.step();
  request.answer(rc);
}

void read_folder(fuse_req_t req, fuse_ino_t id, size_t bytes, off_t offset, fuse_file_info * /*file*/) {
  const Request request(req);
  std::vector<std::pair<std::string, Disk::Status>> entries;
  if (request.failed(request.powered() ? request.disk().list(id, &entries) : -EIO)) return;
  std::vector<char> out(bytes);
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(offset); i < entries.size(); ++i) {
    struct stat info;
    fill(&info, entries[i].second);
    const std::size_t n = fuse_add_direntry(req, out.data() + used, bytes - used, entries[i].first.c_str(), &info, static_cast<off_t>(i + 1));
    if (n > bytes - used) break;
    used += n;
  }
  fuse_reply_buf(req, out.data(), used);
}

void statfs(fuse_req_t req, fuse_ino_t /*id*/) {
  const Request request(req);
  if (request.failed(0)) return;
  const std::uint64_t size = request.disk().size() == 0 ? std::uint64_t{1} << 40 : request.disk().size(), used = std::min(request.disk().used(), size);
  struct statvfs out {};
  out.f_bsize = out.f_frsize = kUnit;
  out.f_blocks = size / kUnit;
  out.f_bfree = out.f_bavail = (size - used) / kUnit;
  out.f_files = out.f_ffree = out.f_favail = 1000000;
  out.f_namemax = 255;
  fuse_reply_statfs(req, &out);
}

void init(void * /*world*/, fuse_conn_info *connection) {
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);  // what is written comes here at once
  connection->max_write = kLargestWrite;
}

constexpr fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops ops{};
  ops.init = init;
  ops.lookup = lookup;
  ops.forget = forget;
  ops.getattr = getattr;
  ops.setattr = setattr;
  ops.mkdir = make_folder;
  ops.create = create;
  ops.open = open;
  ops.read = read;
  ops.write = write;
  ops.fsync = fsync;
  ops.fsyncdir = fsync_folder;
  ops.fallocate = allocate;
  ops.unlink = remove_file;
  ops.rmdir = remove_folder;
  ops.rename = rename;
  ops.readdir = read_folder;
  ops.statfs = statfs;
  return ops;
}
constexpr fuse_lowlevel_ops kOperations = operations();

}  // namespace

int serve(World &world, const std::string &mount, void (*ready)(void *), void *context) {
  char name[] = "powercut", option[] = "-o", value[] = "fsname=powercut,subtype=powercut,default_permissions";
  char *argv[] = {name, option, value, nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, argv);
  fuse_session *session = fuse_session_new(&args, &kOperations, sizeof kOperations, &world);
  int rc = 1;
  if (session != nullptr && fuse_set_signal_handlers(session) == 0) {
    if (fuse_session_mount(session, mount.c_str()) == 0) {
      ready(context);
      fuse_loop_config *config = fuse_loop_cfg_create();
      fuse_loop_cfg_set_clone_fd(config, 0);
      rc = fuse_session_loop_mt(session, config) < 0 ? 1 : 0;
      fuse_loop_cfg_destroy(config);
      fuse_session_unmount(session);
    }
    fuse_remove_signal_handlers(session);
  }
  if (session != nullptr) fuse_session_destroy(session);
  fuse_opt_free_args(&args);
  return rc;
}

}  // namespace gantry::test::powercut
