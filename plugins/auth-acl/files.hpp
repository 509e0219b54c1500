// Files of rules: acl.toml, and RocketMQ's plain_acl.yml, told apart by their names. Whole or not at all: an error names file and line.
#pragma once

#include "rules.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace gantry::acl {

inline constexpr std::size_t kRulesMaxBytes = 8u << 20;

// .yml or .yaml.
[[nodiscard]] bool is_plain_acl(std::string_view path);

// IO, NOT_FOUND (no such file), LIMIT, CONFIG.
[[nodiscard]] Result<std::unique_ptr<Rules>> load_rules(const std::string &path);
[[nodiscard]] Result<std::unique_ptr<Rules>> parse_toml(std::string_view text, const std::string &path);
[[nodiscard]] Result<std::unique_ptr<Rules>> parse_plain_acl(std::string_view text, const std::string &path);

// As acl.toml.
[[nodiscard]] std::string to_toml(const Rules &rules);

// Makes acl.toml with one administrator, "admin", and a random secret; only the owner may read it. EXISTS; IO with the remedy.
[[nodiscard]] Result<void> make_first_file(const std::string &path);

// "FILE:LINE: what".
[[nodiscard]] Error at_line(const std::string &path, std::uint64_t line, std::string what);

}  // namespace gantry::acl
