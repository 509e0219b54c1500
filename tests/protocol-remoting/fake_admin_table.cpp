// The admin side of FakeBroker.
#include "fake_broker.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

namespace gantry::remoting::test {

struct FakeAdminTable {
  static FakeBroker &fake() { return *FakeBroker::current_; }
  static std::int32_t done(std::uint64_t user_data, gantry_cq cq, gantry_error *err) {
    if (fake().admin_refusal < 0) return report(Error{fake().admin_refusal, "not this one"}, err);
    if (cq != 0) fake().push(cq, gantry_cqe{user_data, 0, 0, fake().admin_status, 0});
    return GANTRY_OK;
  }

  static std::int32_t settle(const gantry_host *, std::uint64_t user_data, gantry_cq cq) noexcept {
    ++fake().settles;
    return done(user_data, cq, nullptr);
  }
  static std::int32_t topic_delete(const gantry_host *, gantry_str name, std::uint64_t user_data, gantry_cq cq, gantry_error *err) noexcept {
    const std::int32_t status = done(user_data, cq, err);
    if (status == GANTRY_OK) fake().topics_deleted.emplace_back(view(name));
    return status;
  }
  static std::int32_t group_settings(const gantry_host *, gantry_str name, gantry_group_settings *out) noexcept {
    const auto it = fake().groups.find(std::string(view(name)));
    if (it == fake().groups.end()) return GANTRY_E_NOT_FOUND;
    *out = it->second;
    out->name = str(it->first);
    return GANTRY_OK;
  }
  static std::int32_t group_upsert(const gantry_host *, const gantry_group_settings *settings, std::uint64_t user_data, gantry_cq cq, gantry_error *err) noexcept {
    const std::int32_t status = done(user_data, cq, err);
    if (status == GANTRY_OK) fake().groups[std::string(view(settings->name))] = *settings;
    return status;
  }
  static std::int32_t group_delete(const gantry_host *, gantry_str name, std::uint32_t drop_offsets, std::uint64_t user_data, gantry_cq cq, gantry_error *err) noexcept {
    const std::int32_t status = done(user_data, cq, err);
    if (status == GANTRY_OK) fake().groups_deleted.push_back(std::string(view(name)) + "/" + std::to_string(drop_offsets));
    return status;
  }
  static void group_list(const gantry_host *, gantry_group_fn fn, void *arg) noexcept {
    for (const auto &[name, settings] : fake().groups) {
      gantry_group_settings out = settings;
      out.name = str(name);
      fn(arg, &out);
    }
  }
  static void groups_version(const gantry_host *, gantry_topics_version *out) noexcept { *out = {2, 3}; }
  static std::int32_t queue_read(const gantry_host *, const gantry_queue_read *req, gantry_cq cq) noexcept {
    ++fake().queue_reads;
    const auto queue = fake().entries.find(fake().name_of(req->topic) + "@" + std::to_string(req->queue_no));
    if (queue == fake().entries.end()) return GANTRY_E_NOT_FOUND;
    std::vector<std::string> bytes;
    std::vector<gantry_record> about;
    for (auto it = queue->second.lower_bound(req->offset); it != queue->second.end() && bytes.size() < req->max_records; ++it) {
      bytes.push_back((req->flags & GANTRY_READ_INDEX_ONLY) != 0 ? std::string() : it->second.bytes);
      about.push_back({{}, it->first, it->second.phys_pos, it->second.tag, it->second.store_ms});
    }
    const bool fine = fake().admin_status == GANTRY_OK;
    fake().push(cq, gantry_cqe{req->user_data, 0, fine ? fake().make_result(GANTRY_FETCH_FOUND, bytes, 0, 0, 0, false, about) : 0, fake().admin_status, 0});
    return GANTRY_OK;
  }
  static std::int32_t stat(const gantry_host *, std::uint32_t kind, gantry_str topic, gantry_str group, gantry_stat *out) noexcept {
    std::string key(view(topic));
    if (kind == GANTRY_STAT_GROUP_GET) key.append("@").append(view(group));
    const auto it = fake().counted.find(key);
    if (it == fake().counted.end()) return GANTRY_E_NOT_FOUND;
    *out = it->second;
    return GANTRY_OK;
  }
  static void runtime(const gantry_host *, gantry_broker_runtime *out) noexcept { *out = fake().runtime; }
  static std::uint32_t refusal(const gantry_host *, char *out, std::uint32_t bytes) noexcept {
    const std::size_t n = std::min<std::size_t>(fake().refusal.size(), bytes);
    std::copy_n(fake().refusal.data(), n, out);
    return static_cast<std::uint32_t>(n);
  }
  static void settings(const gantry_host *, gantry_broker_settings *out) noexcept {
    *out = gantry_broker_settings{sizeof *out, 1, 0, 8, str("1s 5s"), 259'200'000, 6'000, 30'000, 15, 0, 259'200'000};
  }
};

const gantry_admin_v1 *FakeBroker::admin_table() {
  using T = FakeAdminTable;
  static constexpr gantry_admin_v1 kTable = {T::settle, T::topic_delete, T::group_settings, T::group_upsert, T::group_delete, T::group_list, T::groups_version, T::queue_read, T::stat, T::runtime, T::settings, T::refusal};
  return &kTable;
}

}  // namespace gantry::remoting::test
