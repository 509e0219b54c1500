// Results as one line of text or one JSON object.
#pragma once

#include <iosfwd>

#include "loadgen/options.hpp"
#include "loadgen/tally.hpp"

namespace gantry::bench {

/// One line for a person, and one more per response code that was not a success.
void print_text(std::ostream &out, const Options &options, const Tally &tally);

/// One JSON object on one line. Times end in their unit; `histogram_ns` is [[highest value, count], ...].
void print_json(std::ostream &out, const Options &options, const Tally &tally);

}  // namespace gantry::bench
