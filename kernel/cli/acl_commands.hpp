// `gantry acl explain|import`: what the rules of access control mean, by the tool component of an access-control plugin. Neither needs a running server.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace gantry::cli {

// Declares the commands in its constructor; parsing the command line fills them.
class AclCommands {
 public:
  explicit AclCommands(CLI::App &app);
  AclCommands(const AclCommands &) = delete;
  AclCommands &operator=(const AclCommands &) = delete;

  [[nodiscard]] bool parsed() const;
  // Runs the one that was given. Exit code: 0, of explain also 3 for what is denied.
  [[nodiscard]] int run();

 private:
  CLI::App *explain_, *import_;
  std::string plugin_ = "auth-acl";
  std::string file_ = "acl.toml", user_, action_, resource_, from_;
  std::string foreign_file_;
};

}  // namespace gantry::cli
