// Attributes of topics, as RocketMQ 5.x has them: "key=value" pairs, separated by commas and sorted by key. Changes are "+key=value" (add or
// change) and "-key" (remove), separated by commas.
#pragma once

#include <gantry++/result.hpp>

#include <string>
#include <string_view>

namespace gantry::broker {

// The value of `key` in such a text; "" when it is not there.
[[nodiscard]] std::string_view attribute(std::string_view attributes, std::string_view key);

// `current` with the changes applied. `create`: the topic is new, so that everything may be set and nothing removed. INVALID: no such
// attribute, a value that it cannot have, one that only a new topic may set, or changes that cannot be read.
[[nodiscard]] Result<std::string> change_attributes(std::string_view current, std::string_view changes, bool create);

}  // namespace gantry::broker
