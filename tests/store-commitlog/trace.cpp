#include "trace.h"

#include "support/test_util.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace gantry::test {

namespace {
constexpr std::size_t kNever = SIZE_MAX;
constexpr std::size_t kWindow = 6;        // of the last unsure events, every subset of up to kSubset
constexpr std::size_t kSubset = 3;
constexpr std::size_t kTornWrites = 4;    // of the last unsure writes, each is torn: as many as may be under way at once

std::string folder_of(const std::string &path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
}  // namespace

// ---- recording

std::string Trace::below_root(const std::string &path) const {
  if (path == root_) return "";
  require(path.starts_with(root_ + "/"), "the store touches a file outside of its folder: " + path);
  return path.substr(root_.size() + 1);
}

std::size_t Trace::add(Event event) {
  events_.push_back(std::move(event));
  return events_.size() - 1;
}

std::uint32_t Trace::file_of(int fd) const {
  const auto at = fds_.find(fd);
  require(at != fds_.end(), "the store uses a file that was not opened through its interface");
  return at->second;
}

std::size_t Trace::size() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

void Trace::begin_with_what_is_there() {
  const std::lock_guard lock(mutex_);
  std::set<std::filesystem::path> paths;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(root_)) paths.insert(entry.path());
  std::set<std::string> folders{""};
  for (const auto &path : paths) {
    const std::string name = below_root(path.string());
    folders.insert(folder_of(name));
    Event event;
    event.path = name;
    if (std::filesystem::is_directory(path)) {
      event.kind = EventKind::kMakeDir;
      add(event);
      continue;
    }
    event.kind = EventKind::kCreate;
    event.file = names_[name] = ++files_;
    add(event);
    std::ifstream in(path, std::ios::binary);
    event.data = std::make_shared<std::string>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    event.kind = EventKind::kWrite;
    add(event);
    event.data.reset();
    event.kind = EventKind::kSync;
    add(event);
  }
  for (const std::string &folder : folders) {
    Event event;
    event.kind = EventKind::kSyncDir;
    event.path = folder;
    add(event);
  }
  begin_ = events_.size();
}

void Trace::opened(int fd, const std::string &path, int flags) {
  const std::lock_guard lock(mutex_);
  const std::string name = below_root(path);
  auto at = names_.find(name);
  if (at == names_.end()) {
    if ((flags & O_CREAT) == 0) {  // a folder, say: nothing can be written to it
      fds_.erase(fd);
      return;
    }
    at = names_.emplace(name, ++files_).first;
    Event event;
    event.kind = EventKind::kCreate;
    event.file = at->second;
    event.path = name;
    add(std::move(event));
  } else if ((flags & O_TRUNC) != 0) {
    Event event;
    event.kind = EventKind::kTruncate;
    event.file = at->second;
    event.path = name;
    add(std::move(event));
  }
  fds_[fd] = at->second;
}

void Trace::allocated(int fd, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kAllocate;
  event.file = file_of(fd);
  event.offset = bytes;
  add(std::move(event));
}

void Trace::truncated(int fd, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kTruncate;
  event.file = file_of(fd);
  event.offset = bytes;
  add(std::move(event));
}

void Trace::written(int fd, const void *data, std::size_t bytes, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kWrite;
  event.file = file_of(fd);
  event.offset = offset;
  event.data = std::make_shared<std::string>(static_cast<const char *>(data), bytes);
  event.zeros = event.data->find_first_not_of('\0') == std::string::npos;
  add(std::move(event));
}

std::size_t Trace::log_write(int fd, const void *data, std::size_t bytes, std::int64_t offset, bool dsync) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kLogWrite;
  event.file = file_of(fd);
  event.offset = offset;
  event.dsync = dsync;
  event.data = std::make_shared<std::string>(static_cast<const char *>(data), bytes);
  return add(std::move(event));
}

void Trace::log_done(std::size_t write) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kLogDone;
  event.refers_to = write;
  add(std::move(event));
}

void Trace::synced(int fd) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kSync;
  event.file = file_of(fd);
  add(std::move(event));
}

void Trace::sync_failed(int fd) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kSyncFailed;
  event.file = file_of(fd);
  add(std::move(event));
}

void Trace::renamed(const std::string &from, const std::string &to) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kRename;
  event.path = below_root(from);
  event.to = below_root(to);
  require(folder_of(event.path) == folder_of(event.to), "the store renames a file into another folder");
  const auto at = names_.find(event.path);
  require(at != names_.end(), "the store renames a file that the trace does not know: " + event.path);
  event.file = at->second;
  names_.erase(at);
  names_[event.to] = event.file;
  add(std::move(event));
}

void Trace::removed(const std::string &path) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kRemove;
  event.path = below_root(path);
  const auto at = names_.find(event.path);
  if (at == names_.end()) return;
  event.file = at->second;
  names_.erase(at);
  add(std::move(event));
}

void Trace::made_dir(const std::string &path) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kMakeDir;
  event.path = below_root(path);
  add(std::move(event));
}

void Trace::synced_dir(const std::string &path) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.kind = EventKind::kSyncDir;
  event.path = below_root(path);
  add(std::move(event));
}

void Trace::note(Note note, std::int64_t value) {
  const std::lock_guard lock(mutex_);
  Event event;
  event.note = note;
  event.value = value;
  add(std::move(event));
}

std::string Trace::describe(std::size_t i) const {
  static constexpr const char *kNames[] = {"mkdir", "create", "rename", "remove", "sync folder", "allocate", "truncate", "write", "log write", "sync", "failed sync", "log write done", "note"};
  static constexpr const char *kNotes[] = {"acknowledged", "sync answered, up to", "log begins at"};
  const Event &event = events_.at(i);
  std::string out = "#" + std::to_string(i) + " " + kNames[static_cast<std::size_t>(event.kind)];
  if (event.kind == EventKind::kNote) return out + ": " + kNotes[static_cast<std::size_t>(event.note)] + " " + std::to_string(event.value);
  if (event.kind == EventKind::kLogDone) return out + " of #" + std::to_string(event.refers_to);
  if (!event.path.empty()) out += " " + event.path;
  if (!event.to.empty()) out += " -> " + event.to;
  if (event.file != 0) out += " file " + std::to_string(event.file);
  if (event.data) out += " at " + std::to_string(event.offset) + " bytes " + std::to_string(event.data->size()) + (event.dsync ? " dsync" : "");
  if (event.kind == EventKind::kAllocate || event.kind == EventKind::kTruncate) out += " to " + std::to_string(event.offset);
  return out;
}

// ---- the model

CrashModel::CrashModel(const Trace &trace) : trace_(trace), events_(trace.events()), kept_at_(events_.size(), kNever), done_at_(events_.size(), kNever) {
  // Per file and per folder, what waits for its flush.
  std::map<std::uint32_t, std::vector<std::size_t>> contents;
  std::map<std::string, std::vector<std::size_t>> names;
  const auto keep = [&](std::vector<std::size_t> &events, std::size_t at, const std::function<bool(const Event &)> &which) {
    std::erase_if(events, [&](std::size_t e) {
      if (!which(events_[e]) || (events_[e].kind == EventKind::kLogWrite && done_at_[e] == kNever)) return false;
      kept_at_[e] = at;
      return true;
    });
  };
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const Event &event = events_[i];
    if (event.kind == EventKind::kSync) {
      keep(contents[event.file], i, [](const Event &) { return true; });
    } else if (event.kind == EventKind::kSyncFailed) {
      contents[event.file].clear();
    } else if (event.kind == EventKind::kSyncDir) {
      keep(names[event.path], i, [](const Event &) { return true; });
    } else if (event.kind == EventKind::kLogDone) {
      done_at_[event.refers_to] = i;
      const Event &write = events_[event.refers_to];
      if (!write.dsync) continue;
      auto &waiting = contents[write.file];
      kept_at_[event.refers_to] = i;
      std::erase(waiting, event.refers_to);
      keep(waiting, i, [](const Event &each) { return each.kind == EventKind::kAllocate || each.kind == EventKind::kTruncate; });
    } else if (event.is_name()) {
      names[folder_of(event.path)].push_back(i);
    } else if (event.changes_disk()) {
      contents[event.file].push_back(i);
    }
  }
}

bool CrashModel::in_flight(std::size_t event, std::size_t end) const {
  return events_[event].kind == EventKind::kLogWrite && (done_at_[event] == kNever || done_at_[event] >= end);
}

std::vector<std::size_t> CrashModel::unsure(std::size_t end) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < end; ++i) {
    if (events_[i].changes_disk() && (kept_at_[i] == kNever || kept_at_[i] >= end)) out.push_back(i);
  }
  return out;
}

void CrashModel::states_at(std::size_t end, const std::function<void(CrashState)> &emit) const {
  const std::vector<std::size_t> all = unsure(end);
  emit({end, {}});
  if (all.empty()) return;
  std::vector<Fate> everything;
  for (const std::size_t e : all) everything.push_back({e, Fate::How::kLost, 0});
  emit({end, everything});

  const std::vector<std::size_t> last(all.end() - static_cast<std::ptrdiff_t>(std::min(kWindow, all.size())), all.end());
  for (std::uint32_t mask = 1; mask < 1u << last.size(); ++mask) {
    if (static_cast<std::size_t>(__builtin_popcount(mask)) > kSubset) continue;
    const auto chosen = [&](std::size_t e) {
      const auto at = std::find(last.begin(), last.end(), e);
      return at != last.end() && (mask >> (at - last.begin()) & 1) != 0;
    };
    CrashState lost{end, {}}, kept{end, {}};
    for (const std::size_t e : all) (chosen(e) ? lost : kept).fates.push_back({e, Fate::How::kLost, 0});
    emit(std::move(lost));
    emit(std::move(kept));
  }

  std::size_t torn = 0;
  for (auto at = all.rbegin(); at != all.rend() && torn < kTornWrites; ++at) {
    if (!events_[*at].is_data()) continue;
    ++torn;
    const auto bytes = static_cast<std::uint32_t>(events_[*at].data->size());
    std::set<std::uint32_t> cuts;
    for (const std::uint32_t unit : {512u, 4096u}) {
      for (const std::uint32_t cut : {unit, 2 * unit, bytes / 2 / unit * unit, bytes - std::min(bytes, unit)}) {
        if (cut > 0 && cut < bytes) cuts.insert(cut);
      }
    }
    std::vector<Fate> fates;
    for (const std::uint32_t cut : cuts) {
      fates.push_back({*at, Fate::How::kFront, cut});
      fates.push_back({*at, Fate::How::kBack, cut});
    }
    fates.push_back({*at, Fate::How::kSectors, 512});
    fates.push_back({*at, Fate::How::kSectors, 4096});
    for (const Fate &fate : fates) {
      emit({end, {fate}});
      CrashState alone{end, {}};
      for (const std::size_t e : all) alone.fates.push_back(e == *at ? fate : Fate{e, Fate::How::kLost, 0});
      emit(std::move(alone));
    }
  }
}

std::uint64_t CrashModel::fingerprint(const CrashState &state) const {
  std::uint64_t out = 0x9E3779B97F4A7C15ull;
  auto fate = state.fates.begin();
  for (std::size_t i = 0; i < state.end; ++i) {
    if (!events_[i].changes_disk()) continue;
    std::uint64_t part = i + 1;
    if (fate != state.fates.end() && fate->event == i) {
      const Fate now = *fate++;
      if (now.how == Fate::How::kLost) continue;
      part ^= (std::uint64_t{now.bytes} << 32) ^ (static_cast<std::uint64_t>(now.how) << 28);
    }
    part *= 0xBF58476D1CE4E5B9ull;
    part ^= part >> 31;
    out = (out ^ part) * 0x94D049BB133111EBull;
    out ^= out >> 29;
  }
  return out;
}

namespace {
struct Content {
  const Event *event;
  const Fate *fate;
};

void write_part(int fd, const Event &event, std::size_t from, std::size_t to) {
  if (to <= from) return;
  if (event.zeros) {  // a hole is as good and costs nothing
    const std::int64_t size = ::lseek(fd, 0, SEEK_END), end = event.offset + static_cast<std::int64_t>(to);
    const bool done = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, event.offset + static_cast<std::int64_t>(from), static_cast<std::int64_t>(to - from)) == 0;
    if (done && (size >= end || ::ftruncate(fd, end) == 0)) return;
  }
  const ssize_t n = ::pwrite(fd, event.data->data() + from, to - from, event.offset + static_cast<std::int64_t>(from));
  require(n == static_cast<ssize_t>(to - from), "cannot write a file of a crash state");
}

void put(int fd, const Content &content) {
  const Event &event = *content.event;
  if (!event.is_data()) {
    const std::int64_t now = ::lseek(fd, 0, SEEK_END);
    if (event.kind == EventKind::kTruncate || now < event.offset) require(::ftruncate(fd, event.offset) == 0, "cannot size a file of a crash state");
    return;
  }
  const std::size_t bytes = event.data->size();
  if (content.fate == nullptr) return write_part(fd, event, 0, bytes);
  switch (content.fate->how) {
    case Fate::How::kLost: break;
    case Fate::How::kFront: write_part(fd, event, 0, content.fate->bytes); break;
    case Fate::How::kBack: write_part(fd, event, content.fate->bytes, bytes); break;
    case Fate::How::kSectors: {
      std::mt19937_64 random(content.fate->event);
      for (std::size_t at = 0; at < bytes; at += content.fate->bytes) {
        if (random() % 2 == 0) write_part(fd, event, at, std::min<std::size_t>(bytes, at + content.fate->bytes));
      }
      break;
    }
  }
}
}  // namespace

void CrashModel::materialise(const CrashState &state, const std::string &folder) const {
  for (const auto &entry : std::filesystem::directory_iterator(folder)) std::filesystem::remove_all(entry.path());
  std::map<std::string, std::uint32_t> names;
  std::set<std::string> folders;
  std::map<std::uint32_t, std::vector<Content>> contents;
  auto fate = state.fates.begin();
  for (std::size_t i = 0; i < state.end; ++i) {
    const Event &event = events_[i];
    const Fate *own = fate != state.fates.end() && fate->event == i ? &*fate++ : nullptr;
    if (!event.changes_disk() || (own != nullptr && own->how == Fate::How::kLost)) continue;
    const auto named = names.find(event.path);
    switch (event.kind) {
      case EventKind::kMakeDir: folders.insert(event.path); break;
      case EventKind::kCreate: names[event.path] = event.file; break;
      case EventKind::kRename:
        if (named != names.end() && named->second == event.file) names.erase(named);
        names[event.to] = event.file;
        break;
      case EventKind::kRemove:
        if (named != names.end() && named->second == event.file) names.erase(named);
        break;
      default: contents[event.file].push_back({&event, own});
    }
  }
  for (const std::string &name : folders) {
    std::error_code ignored;  // one whose parent is lost is lost with it
    std::filesystem::create_directory(folder + "/" + name, ignored);
  }
  for (const auto &[name, file] : names) {
    const int fd = ::open((folder + "/" + name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 && errno == ENOENT) continue;
    require(fd >= 0, "cannot make a file of a crash state: " + name);
    for (const Content &content : contents[file]) put(fd, content);
    ::close(fd);
  }
}

std::string CrashModel::describe(const CrashState &state) const {
  static constexpr const char *kHow[] = {"lost", "only the first bytes", "all but the first bytes", "about half of the units of bytes"};
  std::string out = "power gone before event " + std::to_string(state.end) + " of " + std::to_string(events_.size()) + "\n";
  for (const Fate &fate : state.fates) {
    out += "  " + trace_.describe(fate.event) + ": " + kHow[static_cast<std::size_t>(fate.how)] + (fate.bytes > 0 ? " " + std::to_string(fate.bytes) : "") +
           (in_flight(fate.event, state.end) ? " (was under way)" : "") + "\n";
  }
  out += "  the last events before:\n";
  for (std::size_t i = state.end - std::min<std::size_t>(state.end, 25); i < state.end; ++i) out += "    " + trace_.describe(i) + "\n";
  return out;
}

}  // namespace gantry::test
