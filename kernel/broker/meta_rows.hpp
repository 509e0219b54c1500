// Prefixes of the rows the broker keeps in the store. One place, so that no two modules ever share one.
#pragma once

#include <string_view>

namespace gantry::broker {

inline constexpr std::string_view kTopicRows = "topic/";
inline constexpr std::string_view kGroupRows = "group/";
inline constexpr std::string_view kOffsetRows = "offset/";
// A topic whose row is gone and whose queues are just being dropped. Without a name it is never there: its deletion marks that what stands before it in
// the log was written.
inline constexpr std::string_view kDeletedRows = "deleted/";
inline constexpr std::string_view kHeldRows = "held/";
inline constexpr std::string_view kPopRows = "pop/";            // kernel/semantics/pop_state.hpp
inline constexpr std::string_view kRequestModeRows = "reqmode/";  // kernel/semantics/assignment.hpp

}  // namespace gantry::broker
