// Decisions of the access-control plugin, kept until the rules change. One per shard, so it needs no lock; a fixed number of places, so that strangers cannot
// make it grow: who comes to a taken place takes it.
#pragma once

#include <gantry/draft/auth.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gantry::security {

class DecisionCache {
 public:
  DecisionCache();

  struct Question {
    gantry_principal who;
    const gantry_peer &peer;
    const gantry_authz &item;
  };
  // NULL: not known, or made before `epoch`. Otherwise the GANTRY_DECISION_*.
  [[nodiscard]] const std::uint32_t *find(const Question &question, std::uint64_t epoch);
  // Of the question that find was asked last.
  void put(const Question &question, std::uint64_t epoch, std::uint32_t decision);

 private:
  struct Entry {
    std::uint64_t epoch = 0;  // 0: empty
    gantry_principal who = 0;
    std::uint64_t ip[2] = {0, 0};
    std::uint32_t ip_bytes = 0, type = 0, actions = 0, decision = 0;
    std::string name;
  };
  [[nodiscard]] std::size_t place_of(const Question &question) const;

  const std::uint64_t seed_;
  std::vector<Entry> entries_;
  std::size_t place_ = 0;
};

}  // namespace gantry::security
