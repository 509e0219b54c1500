// The C tables of pop and assignment: find what stands behind the caller's host, pass on, nothing else.
#include "kernel/semantics/assignment.hpp"
#include "kernel/semantics/pop.hpp"

#include <gantry++/str.hpp>

namespace gantry::semantics {

namespace {

broker::Core &core_of(const gantry_host *host) { return static_cast<broker::Broker *>(HostContext::of(host)->broker)->core(); }
Pop &pop_of(const gantry_host *host) { return *static_cast<Pop *>(core_of(host).pop); }
Assignment &assignment_of(const gantry_host *host) { return *static_cast<Assignment *>(core_of(host).assignment); }

const gantry_pop_v1 kPopTable = {
    .pop = [](const gantry_host *host, const gantry_pop *req, gantry_cq cq, gantry_error *err) noexcept { return pop_of(host).pop(*req, cq, err); },
    .ack = [](const gantry_host *host, gantry_pop_handle *handles, std::uint32_t n, std::uint64_t user_data, gantry_cq cq) noexcept { return pop_of(host).ack(handles, n, user_data, cq); },
    .change_invisible = [](const gantry_host *host, gantry_pop_change *change, gantry_cq cq) noexcept { return pop_of(host).change_invisible(*change, cq); },
    .cancel = [](const gantry_host *host, gantry_conn conn) noexcept { pop_of(host).cancel(conn); },
    .waiting = [](const gantry_host *host, gantry_group group, gantry_topic topic, std::int32_t queue_no) noexcept { return pop_of(host).waiting(group, topic, queue_no); },
};

const gantry_assignment_v1 kAssignmentTable = {
    .request_mode = [](const gantry_host *host, gantry_str topic, gantry_str group, gantry_request_mode *out) noexcept { *out = assignment_of(host).request_mode(view(topic), view(group)); },
    .set_request_mode = [](const gantry_host *host, gantry_str topic, gantry_str group, const gantry_request_mode *mode) noexcept { return assignment_of(host).set_request_mode(view(topic), view(group), *mode); },
    .assign = [](const gantry_host *host, const gantry_assign *req, gantry_request_mode *mode, gantry_assigned_fn fn, void *arg,
                 gantry_error *err) noexcept { return assignment_of(host).assign(*req, mode, fn, arg, err); },
};

}  // namespace

void add_pop_services(ServiceTables &tables) {
  tables.add(GANTRY_POP_ID, &kPopTable);
  tables.add(GANTRY_ASSIGNMENT_ID, &kAssignmentTable);
}

}  // namespace gantry::semantics
