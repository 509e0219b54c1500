#include "fake_broker.hpp"

#include "support/test_util.h"

#include <gantry++/str.hpp>

#include <algorithm>
#include <memory>

namespace gantry::remoting::test {

FakeBroker *FakeBroker::current_ = nullptr;

FakeBroker::FakeBroker(const gantry_host *host)
    : host_(host), cq_(static_cast<const gantry_cq_v1 *>(host->query(host, GANTRY_CQ_ID))) {
  current_ = this;
}

void FakeBroker::push(gantry_cq cq, const gantry_cqe &cqe) {
  gantry::test::require(cq_->push(host_, cq, &cqe, 1) == GANTRY_OK, "completion to a closed queue");
}

bool FakeBroker::describe(const std::string &name, gantry_topic_info *out) {
  const auto it = topics.find(name);
  if (it == topics.end()) return false;
  auto at = std::find(topic_names_.begin(), topic_names_.end(), name);
  if (at == topic_names_.end()) at = topic_names_.insert(topic_names_.end(), name);
  *out = gantry_topic_info{};
  out->size = sizeof *out;
  out->flags = it->second.flags;
  out->topic = static_cast<gantry_topic>(at - topic_names_.begin()) + 1;
  out->name = str(*at);
  out->perm = it->second.perm;
  out->read_queues = it->second.read_queues;
  out->write_queues = it->second.write_queues;
  out->attributes = str(it->second.attributes);
  return true;
}

gantry_group FakeBroker::group_handle(const std::string &name) {
  auto at = std::find(group_names_.begin(), group_names_.end(), name);
  if (at == group_names_.end()) at = group_names_.insert(group_names_.end(), name);
  return static_cast<gantry_group>(at - group_names_.begin()) + 1;
}

void FakeBroker::complete_produce(std::size_t i, std::int64_t queue_offset, std::int64_t position, std::uint32_t queue_no) {
  const Produced &p = produced.at(i);
  push(p.cq, gantry_cqe{p.req.user_data, queue_offset, static_cast<std::uint64_t>(position), GANTRY_OK, queue_no});
}

void FakeBroker::fail_produce(std::size_t i, std::int32_t status, std::uint32_t subject) {
  push(produced.at(i).cq, gantry_cqe{produced.at(i).req.user_data, 0, 0, status, subject});
}

namespace {

struct Owned {  // the result with its owner in front
  gantry_owner owner;
  int *alive;
  std::string bytes;
  std::vector<std::string> apart;
  std::vector<gantry_record> records;
  gantry_fetch_result result;
};

}  // namespace

std::uint64_t FakeBroker::make_result(std::uint32_t outcome, const std::vector<std::string> &records, std::int64_t next, std::int64_t min,
                                      std::int64_t max, bool adjacent, const std::vector<gantry_record> &about) {
  auto *made = new Owned{};
  made->alive = &results_alive_;
  ++results_alive_;
  made->owner.retain = [](gantry_owner *) noexcept { gantry::test::require(false, "the fake net copies at once"); };
  made->owner.release = [](gantry_owner *owner) noexcept {
    auto *self = reinterpret_cast<Owned *>(owner);
    --*self->alive;
    delete self;
  };
  made->apart = records;
  for (const std::string &r : records) made->bytes += r;
  std::size_t at = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    gantry_record record = i < about.size() ? about[i] : gantry_record{};
    record.bytes = adjacent ? span(made->bytes.data() + at, records[i].size()) : span(made->apart[i]);
    at += records[i].size();
    made->records.push_back(record);
  }
  made->result = gantry_fetch_result{sizeof(gantry_fetch_result), outcome, &made->owner, made->records.data(),
                                     static_cast<std::uint32_t>(records.size()), 0, next, min, max};
  return reinterpret_cast<std::uint64_t>(&made->result);
}

void FakeBroker::complete_fetch(std::size_t i, std::uint32_t outcome, const std::vector<std::string> &records, std::int64_t next,
                                std::int64_t min, std::int64_t max, bool adjacent) {
  const Fetched &f = fetched.at(i);
  push(f.cq, gantry_cqe{f.req.user_data, 0, make_result(outcome, records, next, min, max, adjacent), GANTRY_OK, 0});
}

void FakeBroker::fail_fetch(std::size_t i, std::int32_t status, std::uint32_t subject) {
  push(fetched.at(i).cq, gantry_cqe{fetched.at(i).req.user_data, 0, 0, status, subject});
}

void FakeBroker::complete(const Asked &asked, std::int32_t status, std::int64_t result) {
  push(asked.cq, gantry_cqe{asked.user_data, result, 0, status, 0});
}

void FakeBroker::complete(const GivenBack &given, std::int32_t status, std::uint32_t subject) {
  push(given.cq, gantry_cqe{given.req.user_data, 0, 0, status, subject});
}

void FakeBroker::complete_recall(std::size_t i, std::int32_t status) {
  push(recalled.at(i).cq, gantry_cqe{recalled.at(i).req.user_data, 0, 0, status, status == GANTRY_OK ? GANTRY_SUBJECT_NONE : GANTRY_SUBJECT_BODY});
}

void FakeBroker::complete_end(std::size_t i, std::int32_t status, std::uint32_t subject) {
  push(ended.at(i).cq, gantry_cqe{ended.at(i).req.user_data, 0, 0, status, subject});
}

void FakeBroker::complete_query(std::size_t i, const std::vector<std::string> &records) {
  push(queries.at(i).cq, gantry_cqe{queries.at(i).req.user_data, 0, make_result(GANTRY_FETCH_FOUND, records, 0, 0, 0, false), GANTRY_OK, 0});
}

void FakeBroker::complete_view(const Asked &asked, const std::string &record) {
  push(asked.cq, gantry_cqe{asked.user_data, 0, make_result(GANTRY_FETCH_FOUND, {record}, 0, 0, 0, false), GANTRY_OK, 0});
}

}  // namespace gantry::remoting::test
