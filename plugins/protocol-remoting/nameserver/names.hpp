// Checks of names that strangers put into the tables. Looser than what Gantry's broker allows for its own topics, since other brokers
// register cluster and broker names as topics; strict enough that no name can break a client's parser or a log line.
#pragma once

#include <string_view>

namespace gantry::remoting::nameserver {

// 1..255 bytes, no blank, no control character.
[[nodiscard]] bool is_name(std::string_view name);
// "host:port", "[v6]:port" or the bare "v6:port" that Java writes; port 1..65535; only [a-zA-Z0-9._:%-] and brackets, because the Go
// client splits address maps at commas and quotes.
[[nodiscard]] bool is_address(std::string_view address);

}  // namespace gantry::remoting::nameserver
