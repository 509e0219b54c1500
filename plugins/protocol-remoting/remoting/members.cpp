#include "remoting/members.hpp"

#include <gantry++/str.hpp>

namespace gantry::remoting {

namespace {

void add(void *arg, const gantry_member *m) noexcept {
  static_cast<std::vector<GroupMember> *>(arg)->push_back({{m->conn, m->shard}, std::string(view(m->group)), std::string(view(m->client_id)),
                                                           std::string(view(m->peer)), m->seen_ms, m->language, m->version});
}

}  // namespace

std::vector<GroupMember> consumers_of(const Services &services, std::string_view group) {
  std::vector<GroupMember> out;
  if (!group.empty()) (void)services.session->consumer_group(services.host, str(group), nullptr, add, &out);
  return out;
}

std::vector<GroupMember> producers_of(const Services &services, std::string_view group) {
  std::vector<GroupMember> out;
  (void)services.session->producer_group(services.host, str(group), add, &out);
  return out;
}

}  // namespace gantry::remoting
