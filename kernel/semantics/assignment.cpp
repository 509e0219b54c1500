#include "kernel/semantics/assignment.hpp"

#include "kernel/broker/meta_rows.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>

#include <algorithm>
#include <tuple>

namespace gantry::semantics {

namespace {

constexpr std::string_view kAverage = "avg";
constexpr std::size_t kModeRowBytes = 8;  // mode 4, pop_share_queues 4

std::string pair_key(std::string_view topic, std::string_view group) {
  std::string key(group);
  key += '\0';
  return key.append(topic);
}

std::int32_t refuse(gantry_error *err, std::uint32_t subject, std::string text) {
  return report(Error{GANTRY_E_NOT_FOUND, std::move(text), static_cast<std::int32_t>(subject)}, err);
}

}  // namespace

void assign_average(std::uint32_t n_consumers, std::uint32_t n_queues, std::uint32_t *owner) {
  const std::uint32_t each = n_queues / n_consumers, more = n_queues % n_consumers;
  std::uint32_t queue = 0;
  for (std::uint32_t c = 0; c < n_consumers; ++c)
    for (std::uint32_t i = 0; i < each + (c < more ? 1 : 0); ++i) owner[queue++] = c;
}

void Assignment::start() {
  for (const auto &[key, value] : core_.restored_rows) {
    if (!key.starts_with(broker::kRequestModeRows) || value.size() != kModeRowBytes) continue;
    modes_[key.substr(broker::kRequestModeRows.size())] = gantry_request_mode{load_be32(value.data()), static_cast<std::int32_t>(load_be32(value.data() + 4))};
  }
  std::erase_if(core_.restored_rows, [](const auto &row) { return row.first.starts_with(broker::kRequestModeRows); });
  core_.assignment = this;
}

gantry_request_mode Assignment::request_mode(std::string_view topic, std::string_view group) {
  const std::lock_guard lock(mutex_);
  const auto it = modes_.find(pair_key(topic, group));
  return it == modes_.end() ? gantry_request_mode{GANTRY_MODE_UNSET, 0} : it->second;
}

std::int32_t Assignment::set_request_mode(std::string_view topic, std::string_view group, const gantry_request_mode &mode) {
  if (mode.mode != GANTRY_MODE_PULL && mode.mode != GANTRY_MODE_POP) return GANTRY_E_INVALID;
  const std::string key = pair_key(topic, group), row = std::string(broker::kRequestModeRows) + key;
  std::string value(kModeRowBytes, '\0');
  store_be32(value.data(), mode.mode);
  store_be32(value.data() + 4, static_cast<std::uint32_t>(mode.pop_share_queues));
  const gantry_meta_op op{GANTRY_META_PUT, 0, str(row), str(value)};
  const std::lock_guard lock(mutex_);
  const std::int32_t status = core_.store.table->meta_write(core_.store.self, &op, 1, GANTRY_DURABILITY_DEFAULT, 0, 0);
  if (status == GANTRY_OK) modes_[key] = mode;
  return status;
}

// Sorted by broker and number, as clients sort their queues.
std::vector<Assignment::Target> Assignment::targets_of(const gantry_assign &req, std::uint32_t own_queues) const {
  const std::string_view own = core_.options.name;
  std::vector<std::pair<std::string_view, std::uint32_t>> brokers{{own, own_queues}};
  for (std::uint32_t i = 0; i < req.n_brokers; ++i)
    if (view(req.brokers[i].broker) != own) brokers.emplace_back(view(req.brokers[i].broker), req.brokers[i].read_queues);
  std::sort(brokers.begin(), brokers.end());
  std::vector<Target> targets;
  for (const auto &[broker, queues] : brokers)
    for (std::uint32_t q = 0; q < queues; ++q) targets.push_back({broker, q});
  return targets;
}

// RocketMQ's QueryAssignmentProcessor.
std::int32_t Assignment::assign(const gantry_assign &req, gantry_request_mode *mode, gantry_assigned_fn fn, void *arg, gantry_error *err) {
  gantry_topic_info topic{};
  if (broker_.topic_find(view(req.topic), &topic) != GANTRY_OK) return refuse(err, GANTRY_SUBJECT_TOPIC, "topic[" + std::string(view(req.topic)) + "] not exist");
  *mode = request_mode(view(req.topic), view(req.group));
  if (mode->mode == GANTRY_MODE_UNSET) mode->mode = GANTRY_MODE_PULL;
  const std::vector<Target> targets = targets_of(req, topic.read_queues);
  const auto tell = [&](const Target &target) { fn(arg, str(target.broker), static_cast<std::int32_t>(target.queue_no)); };
  if (req.broadcasting != 0) {
    for (const Target &target : targets) tell(target);
    return GANTRY_OK;
  }

  std::vector<std::string> members;  // sorted
  const gantry_client_fn add = [](void *list, gantry_str id) noexcept { static_cast<std::vector<std::string> *>(list)->emplace_back(view(id)); };
  if (broker_.consumers(view(req.group), add, &members) != GANTRY_OK) return refuse(err, GANTRY_SUBJECT_GROUP, "no consumer for this group, " + std::string(view(req.group)));
  const auto self = std::find(members.begin(), members.end(), view(req.client_id));
  const auto n = static_cast<std::uint32_t>(members.size());
  if (mode->mode == GANTRY_MODE_POP && (mode->pop_share_queues < 1 || mode->pop_share_queues >= static_cast<std::int32_t>(n) - 1)) {
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (i == 0 || targets[i].broker != targets[i - 1].broker) fn(arg, str(targets[i].broker), -1);
    return GANTRY_OK;
  }
  if (targets.empty()) return GANTRY_OK;
  const auto index = static_cast<std::uint32_t>(self - members.begin());
  if (mode->mode == GANTRY_MODE_POP && n > targets.size()) {
    if (self != members.end()) tell(targets[index % targets.size()]);
    return GANTRY_OK;
  }
  std::vector<std::uint32_t> owner;
  const std::int32_t status = divide(req, members, targets, &owner, err);
  if (status != GANTRY_OK || self == members.end()) return status;
  const std::uint32_t followers = mode->mode == GANTRY_MODE_POP ? static_cast<std::uint32_t>(mode->pop_share_queues) : 0;
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (owner[i] < n && (owner[i] + n - index) % n <= followers) tell(targets[i]);
  return GANTRY_OK;
}

// Asks the allocator that the request names; what it gets wrong is replaced by the average.
std::int32_t Assignment::divide(const gantry_assign &req, const std::vector<std::string> &members, const std::vector<Target> &targets, std::vector<std::uint32_t> *owner,
                                gantry_error *err) {
  std::string name(view(req.strategy));
  for (char &c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto it = std::find_if(allocators_.begin(), allocators_.end(), [&name](const Allocator &a) { return a.name == name; });
  if (it == allocators_.end() && name != kAverage) return refuse(err, GANTRY_SUBJECT_SUBSCRIPTION, "allocator '" + name + "' is not loaded");
  const auto n = static_cast<std::uint32_t>(members.size()), n_queues = static_cast<std::uint32_t>(targets.size());
  owner->assign(n_queues, GANTRY_NO_CONSUMER);
  const std::lock_guard lock(mutex_);
  // Members ask any broker of the topic, and all brokers must answer alike: what one of them remembers must not count when there are several.
  const bool alone = targets.front().broker == targets.back().broker;
  std::vector<Held> &previous = previous_[pair_key(view(req.topic), view(req.group))];
  if (!alone) previous.clear();
  if (it != allocators_.end()) {
    std::vector<gantry_alloc_consumer> consumers;
    std::vector<gantry_alloc_queue> queues;
    for (const std::string &id : members) consumers.push_back({str(id), {}, 1, 0});
    for (const Target &target : targets) {
      const auto held = std::lower_bound(previous.begin(), previous.end(), target,
                                         [](const Held &h, const Target &t) { return std::tuple(std::string_view(h.broker), h.queue_no) < std::tuple(t.broker, t.queue_no); });
      std::uint32_t before = GANTRY_NO_CONSUMER;
      if (held != previous.end() && held->broker == target.broker && held->queue_no == target.queue_no) {
        const auto member = std::lower_bound(members.begin(), members.end(), held->client_id);
        if (member != members.end() && *member == held->client_id) before = static_cast<std::uint32_t>(member - members.begin());
      }
      queues.push_back({str(target.broker), target.queue_no, before});
    }
    const gantry_alloc_input input{sizeof input, 0, req.topic, req.group, consumers.data(), queues.data(), n, n_queues};
    gantry_error problem{};
    const std::uint64_t begin = read_ticks();
    const std::int32_t status = it->table->assign(it->self, &input, owner->data(), &problem);
    const std::uint64_t ticks = read_ticks() - begin;
    const bool fine = status == GANTRY_OK && std::all_of(owner->begin(), owner->end(), [n](std::uint32_t o) { return o < n || o == GANTRY_NO_CONSUMER; });
    if (it->meter != nullptr) it->meter->note(0, 1, fine ? 0 : 1, ticks);
    if (!fine) core_.say(GANTRY_LOG_ERROR, "allocator '" + it->name + "' failed for group '" + std::string(view(req.group)) + "': " + (status == GANTRY_OK ? "it names a consumer that does not exist" : problem.text) + "; the average is used");
    if (!fine) assign_average(n, n_queues, owner->data());
  } else {
    assign_average(n, n_queues, owner->data());
  }
  previous.clear();
  for (std::uint32_t i = 0; alone && i < n_queues; ++i)
    if ((*owner)[i] < n) previous.push_back({std::string(targets[i].broker), targets[i].queue_no, members[(*owner)[i]]});
  return GANTRY_OK;
}

}  // namespace gantry::semantics
