#include "remoting/services.hpp"

namespace gantry::remoting {

namespace {

template <typename T>
bool fetch(const gantry_host *host, const char *id, const T *&out, const char *&missing) {
  out = static_cast<const T *>(host->query(host, id));
  if (out == nullptr) missing = id;
  return out != nullptr;
}

}  // namespace

Result<Services> Services::of(const gantry_host *host) {
  Services s;
  s.host = host;
  const char *missing = nullptr;
  const bool all = fetch(host, GANTRY_NET_ID, s.net, missing) && fetch(host, GANTRY_BROKER_ID, s.broker, missing) &&
                   fetch(host, GANTRY_SESSION_ID, s.session, missing) && fetch(host, GANTRY_ADMIN_ID, s.admin, missing) && fetch(host, GANTRY_EXEC_ID, s.exec, missing) &&
                   fetch(host, GANTRY_CQ_ID, s.cq, missing) && fetch(host, GANTRY_LOG_ID, s.log, missing) &&
                   fetch(host, GANTRY_METRICS_ID, s.metrics, missing) && fetch(host, GANTRY_CLOCK_ID, s.clock, missing);
  if (!all)
    return Error{GANTRY_E_UNSUPPORTED, std::string("component remoting: this process offers no ") + missing +
                                           "; it needs a store in the same configuration"};
  s.pop = static_cast<const gantry_pop_v1 *>(host->query(host, GANTRY_POP_ID));
  s.assignment = static_cast<const gantry_assignment_v1 *>(host->query(host, GANTRY_ASSIGNMENT_ID));
  return s;
}

}  // namespace gantry::remoting
