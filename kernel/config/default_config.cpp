#include "kernel/config/document.hpp"

namespace gantry::config {

std::string_view default_config_text() {
  return R"toml(# What `gantry run` does without a configuration: everything on this machine alone.
[broker]
cluster = "DefaultCluster"
name = "broker-a"
data_dir = "gantry-data"
filters = ["filter-sql92"]

[store]
plugin = "store-commitlog"
ack = "durable"

[[protocol]]
plugin = "protocol-remoting"
component = "nameserver"
listen = "127.0.0.1:9876"

[[protocol]]
plugin = "protocol-remoting"
component = "remoting"
listen = "127.0.0.1:10911"
nameservers = ["127.0.0.1:9876"]
)toml";
}

}  // namespace gantry::config
