// Runs an expression on one message.
#pragma once

#include "compiler.hpp"

#include <gantry++/str.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gantry::sql92 {

using Properties = std::map<std::string, std::string, std::less<>>;

// The same message in each of n places; an empty value is an absent property.
inline Planes run(const Program &program, const Properties &properties, std::uint32_t n = 1) {
  std::vector<std::vector<gantry_str>> columns;
  std::vector<const gantry_str *> pointers;
  for (const std::string &name : program.column_names) {
    const auto it = properties.find(name);
    columns.emplace_back(n, it == properties.end() ? gantry_str{} : str(it->second));
  }
  for (const auto &column : columns) pointers.push_back(column.data());
  return evaluate(program, pointers.data(), n);
}

// T true, F false, N null, E an error, R refused.
inline char answer(std::string_view text, const Properties &properties) {
  Problem problem;
  const std::unique_ptr<Program> program = compile(text, &problem);
  if (program == nullptr) return 'R';
  const Planes planes = run(*program, properties);
  return (planes.yes & 1) != 0 ? 'T' : (planes.no & 1) != 0 ? 'F' : (planes.error & 1) != 0 ? 'E' : 'N';
}

}  // namespace gantry::sql92
