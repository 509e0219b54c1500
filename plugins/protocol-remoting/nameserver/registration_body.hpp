// Bodies of REGISTER_BROKER in their three forms, and DataVersion as JSON.
#pragma once

#include "json/document.hpp"
#include "nameserver/route_table.hpp"

#include <gantry++/result.hpp>

#include <string>
#include <string_view>

namespace gantry::remoting::nameserver {

enum class BodyForm {
  kTopicsOnly,  // peers before 3.0.11: the topic table alone, as JSON
  kJson,        // RegisterBrokerBody
  kCompressed,  // zlib stream of counted blocks
};

// Fills version, topics and filter_servers. An empty body is an empty table. Topics with unusable names or numbers are left out and
// counted in *skipped; a body that does not parse is refused whole. Bodies are up to 16 MiB.
[[nodiscard]] Result<void> read_registration_body(std::string_view body, BodyForm form, json::Document &document, Registration &out,
                                                  std::uint32_t *skipped);

// {"counter":1,"timestamp":1700000000000}, with stateVersion as 5.x brokers write it; absent members are 0.
[[nodiscard]] Result<DataVersion> read_data_version(std::string_view text, json::Document &document);
[[nodiscard]] std::string data_version_json(const DataVersion &version);

}  // namespace gantry::remoting::nameserver
