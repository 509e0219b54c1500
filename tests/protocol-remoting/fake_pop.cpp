#include "fake_pop.hpp"

#include "support/test_util.h"

#include <gantry++/str.hpp>

#include <deque>

namespace gantry::remoting::test {

FakePop *FakePop::current_ = nullptr;

FakePop::FakePop(const gantry_host *host) : host_(host), cq_(static_cast<const gantry_cq_v1 *>(host->query(host, GANTRY_CQ_ID))) { current_ = this; }

namespace {

struct Owned {  // the result with its owner in front
  gantry_owner owner;
  int *alive;
  gantry_pop_result result;
  std::deque<std::string> bytes;
  std::deque<std::vector<std::uint32_t>> deliveries;
  std::vector<gantry_record> records;
  std::vector<gantry_pop_part> parts;
  int references = 1;
};

}  // namespace

void FakePop::complete(std::size_t i, std::uint32_t outcome, const std::vector<Part> &parts, std::int64_t rest, std::int32_t revive_queue) {
  auto *owned = new Owned{};
  owned->alive = &results_alive_;
  ++results_alive_;
  owned->owner.retain = [](gantry_owner *o) noexcept { ++reinterpret_cast<Owned *>(o)->references; };
  owned->owner.release = [](gantry_owner *o) noexcept {
    auto *self = reinterpret_cast<Owned *>(o);
    if (--self->references != 0) return;
    --*self->alive;
    delete self;
  };
  for (const Part &part : parts) {
    gantry_pop_part p{part.topic, part.queue_no, part.retry, part.start_off, static_cast<std::uint32_t>(owned->records.size()), static_cast<std::uint32_t>(part.records.size()), nullptr};
    owned->deliveries.push_back(part.deliveries);
    if (!part.deliveries.empty()) p.deliveries = owned->deliveries.back().data();
    for (const auto &[offset, bytes] : part.records) {
      owned->bytes.push_back(bytes);
      gantry_record record{};
      record.bytes = span(owned->bytes.back());
      record.queue_off = offset;
      owned->records.push_back(record);
    }
    owned->parts.push_back(p);
  }
  owned->result = gantry_pop_result{sizeof(gantry_pop_result), outcome, &owned->owner, owned->records.data(), owned->parts.data(), static_cast<std::uint32_t>(owned->records.size()),
                                    static_cast<std::uint32_t>(owned->parts.size()), 1'700'000'000'000, pops.at(i).req.invisible_ms, rest, revive_queue, 0};
  const gantry_cqe cqe{pops.at(i).req.user_data, 0, reinterpret_cast<std::uint64_t>(&owned->result), GANTRY_OK, 0};
  gantry::test::require(cq_->push(host_, pops.at(i).cq, &cqe, 1) == GANTRY_OK, "completion to a closed queue");
}

void FakePop::complete_status(std::uint64_t user_data, gantry_cq cq, std::int32_t status) {
  const gantry_cqe cqe{user_data, 0, 0, status, GANTRY_SUBJECT_STORE};
  gantry::test::require(cq_->push(host_, cq, &cqe, 1) == GANTRY_OK, "completion to a closed queue");
}

struct FakePopTables {
  static FakePop &fake() { return *FakePop::current_; }
  static std::string text(gantry_str s) { return std::string(view(s)); }

  static std::int32_t pop(const gantry_host *, const gantry_pop *req, gantry_cq cq, gantry_error *err) noexcept {
    if (fake().pop_status != GANTRY_OK) {
      *err = fake().pop_error;
      return fake().pop_status;
    }
    fake().pops.push_back({*req, text(req->expr), text(req->expr_type), text(req->attempt), cq});
    return GANTRY_OK;
  }
  static std::int32_t ack(const gantry_host *, gantry_pop_handle *handles, std::uint32_t n, std::uint64_t user_data, gantry_cq cq) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto it = fake().handle_status.find(handles[i].offset);
      handles[i].status = it == fake().handle_status.end() ? GANTRY_OK : it->second;
    }
    fake().acks.push_back({{handles, handles + n}, user_data, cq});
    return fake().ack_return;
  }
  static std::int32_t change(const gantry_host *, gantry_pop_change *change, gantry_cq cq) noexcept {
    fake().changes.push_back({*change, cq});
    const auto it = fake().handle_status.find(change->handle.offset);
    change->handle.status = it == fake().handle_status.end() ? GANTRY_OK : it->second;
    if (change->handle.status != GANTRY_OK) return GANTRY_OK;
    change->handle.pop_ms = 1'700'000'000'999;
    return GANTRY_PENDING;
  }
  static void cancel(const gantry_host *, gantry_conn conn) noexcept { fake().cancelled.push_back(conn); }
  static std::uint32_t waiting(const gantry_host *, gantry_group, gantry_topic, std::int32_t) noexcept { return fake().waiting; }

  static void request_mode(const gantry_host *, gantry_str, gantry_str, gantry_request_mode *out) noexcept { *out = fake().mode; }
  static std::int32_t set_request_mode(const gantry_host *, gantry_str topic, gantry_str group, const gantry_request_mode *mode) noexcept {
    if (mode->mode == GANTRY_MODE_UNSET) return GANTRY_E_INVALID;
    fake().modes.push_back(text(topic) + "/" + text(group) + "/" + std::to_string(mode->mode) + "/" + std::to_string(mode->pop_share_queues));
    return fake().mode_status;
  }
  static std::int32_t assign(const gantry_host *, const gantry_assign *req, gantry_request_mode *mode, gantry_assigned_fn fn, void *arg, gantry_error *) noexcept {
    fake().assigns.push_back(text(req->topic) + "/" + text(req->group) + "/" + text(req->client_id) + "/" + text(req->strategy) + "/" + std::to_string(req->broadcasting));
    *mode = fake().mode;
    if (fake().assign_status == GANTRY_OK)
      for (const std::int32_t queue_no : fake().assigned) fn(arg, gantry_str{"broker-a", 8, 0}, queue_no);
    return fake().assign_status;
  }
};

const gantry_pop_v1 *FakePop::pop_table() {
  static const gantry_pop_v1 kTable = {FakePopTables::pop, FakePopTables::ack, FakePopTables::change, FakePopTables::cancel, FakePopTables::waiting};
  return &kTable;
}

const gantry_assignment_v1 *FakePop::assignment_table() {
  static const gantry_assignment_v1 kTable = {FakePopTables::request_mode, FakePopTables::set_request_mode, FakePopTables::assign};
  return &kTable;
}

}  // namespace gantry::remoting::test
