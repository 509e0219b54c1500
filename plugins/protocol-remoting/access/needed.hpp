// Which resources and actions one request needs, by the table.
#pragma once

#include "codec/header.hpp"
#include "json/document.hpp"

#include <gantry/draft/auth.h>

#include <string>
#include <string_view>
#include <vector>

namespace gantry::remoting {

// Reusable; items point into the request, into this and into literals.
class Needed {
 public:
  // What stands in bodies is found by the parser and the names of the handlers, so that both see the same. A body that cannot be read, or a code that the table does
  // not know, needs the right to change the cluster.
  [[nodiscard]] const std::vector<gantry_authz> &of(const Header &header, std::string_view body);

 private:
  void add(std::uint32_t type, std::string_view name, std::uint32_t actions);
  void add_ack_topic(std::string_view topic, std::string_view group, std::uint32_t actions);
  void add_heartbeat(const json::Value &root);
  void add_lock(const json::Value &root);
  void add_acks(const json::Value &root);

  json::Document document_;
  std::vector<gantry_authz> items_;
};

}  // namespace gantry::remoting
