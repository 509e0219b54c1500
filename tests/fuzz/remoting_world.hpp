// A started remoting component between the fakes of its tests, for inputs without end: what the broker accepted is completed and what
// was written is thrown away after each input.
#pragma once

#include "protocol-remoting/fake_broker.hpp"
#include "protocol-remoting/fake_net.hpp"
#include "remoting/component.hpp"
#include "support/fake_config.h"
#include "support/fake_host.h"

#include <gantry/draft/protocol.h>
#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <cstdint>
#include <vector>

namespace gantry::remoting::test {

class RemotingWorld {
 public:
  RemotingWorld() {
    host_.add_table(GANTRY_NET_ID, FakeNet::table());
    host_.add_table(GANTRY_BROKER_ID, FakeBroker::broker_table());
    host_.add_table(GANTRY_SESSION_ID, FakeBroker::session_table());
    host_.add_table(GANTRY_ADMIN_ID, FakeBroker::admin_table());
    const gantry::test::FakeConfig config(kRemotingComponent, {});
    gantry_error error{};
    GANTRY_ASSERT(kRemotingComponent.create(host_.abi(), config.abi(), &self_, &error) == GANTRY_OK);
    GANTRY_ASSERT(kRemotingComponent.start(self_, &error) == GANTRY_OK);
  }

  // One connection's whole life: the bytes come in pieces of at most `piece` bytes; the broker takes `credit` requests per call.
  void connection(const std::uint8_t *data, std::size_t size, std::size_t piece, std::uint32_t credit) {
    reset();
    const gantry_conn conn = next_conn_++;
    net_.conns[conn];
    gantry_conn_info info{};
    info.size = sizeof info;
    info.peer_ip_bytes = info.local_ip_bytes = 4;
    info.peer = str("10.0.0.1:5000");
    void *state = nullptr;
    GANTRY_ASSERT(table_.conn_open(self_, conn, &info, &state) == GANTRY_OK);
    std::vector<std::uint8_t> input;
    std::int32_t status = GANTRY_OK;
    for (std::size_t at = 0; at < size && status == GANTRY_OK;) {
      const std::size_t n = std::min(piece, size - at);
      input.insert(input.end(), data + at, data + at + n);
      at += n;
      for (int round = 0; round < 1000; ++round) {
        broker_.produce_credit = broker_.fetch_credit = credit;
        const std::vector<std::uint8_t> exact(input);
        std::uint32_t consumed = 0, need = 0;
        status = table_.on_bytes(self_, state, exact.data(), static_cast<std::uint32_t>(exact.size()), &consumed, &need);
        GANTRY_ASSERT(consumed <= exact.size() && !net_.reserved());
        input.erase(input.begin(), input.begin() + consumed);
        complete();
        if (status != GANTRY_E_AGAIN) break;
      }
    }
    table_.conn_close(self_, state, status);
    complete();
    net_.conns.clear();
  }

 private:
  void reset() {
    broker_.topics = {{"T", {}}, {"S", {GANTRY_TOPIC_SYSTEM, 6, 1, 1}}};
    broker_.locks.clear();
    broker_.groups.clear();
    broker_.topics_deleted.clear();
    broker_.groups_deleted.clear();
    broker_.stats = {{"T", {{0, {3, 9, 9, 1}}}}};
    broker_.entries = {{"T@0", {{7, {70, 0, 1, "record"}}, {8, {80, 0, 1, "record"}}}}};
    broker_.committed = {{"G", "T", 0, 8}};
    broker_.heartbeats.clear();
    broker_.commits.clear();
    broker_.upserts.clear();
    broker_.unregistered.clear();
    broker_.closed.clear();
  }
  void complete() {
    for (std::size_t i = 0; i < broker_.produced.size(); ++i) broker_.complete_produce(i, 1, 2, 3);
    for (std::size_t i = 0; i < broker_.fetched.size(); ++i)
      broker_.complete_fetch(i, static_cast<std::uint32_t>(i % 4), i % 4 == 0 ? std::vector<std::string>{"record"} : std::vector<std::string>{}, 1, 0, 2);
    for (const auto &asked : broker_.seeks) broker_.complete(asked, GANTRY_OK, 1);
    for (const auto &asked : broker_.views) broker_.complete(asked, GANTRY_E_NOT_FOUND, 0);
    for (const auto &asked : broker_.commits_waited_for) broker_.complete(asked, GANTRY_OK, 0);
    broker_.commits_waited_for.clear();
    broker_.produced.clear();
    broker_.fetched.clear();
    broker_.seeks.clear();
    broker_.views.clear();
    while (host_.turn()) {
    }
    GANTRY_ASSERT(broker_.results_alive() == 0 && !net_.reserved());
  }

  gantry::test::FakeHost host_{1};
  FakeNet net_;
  FakeBroker broker_{host_.abi()};
  const gantry_protocol_v1 &table_ = *static_cast<const gantry_protocol_v1 *>(kRemotingComponent.vtable);
  void *self_ = nullptr;
  gantry_conn next_conn_ = 1;
};

}  // namespace gantry::remoting::test
