// The socket by which a test commands the file system: one line in, one line out.
//
//   cut SEED AFTER AT_MOST_MS     the power goes in the midst of the AFTER-th change from now (0: now), at the latest after AT_MOST_MS
//   restore                       the disk is there again, as the cut has left it
//   rule OP PATTERN NTH COUNT ERROR DELAY_MS    as in faults.hpp; ERROR is EIO, ENOSPC, EDQUOT or 0
//   clear                         no rules any more
//   met                           how many requests the rules met
//   size BYTES                    0: no limit
//   forget-failed                 the page cache of files of which a flush failed is gone
//   lie                           flushes do nothing from now on and say that all is well
//   counts                        what was asked for so far
#pragma once

#include "file_system.hpp"

#include <memory>
#include <string>
#include <thread>

namespace gantry::test::powercut {

// The reply to one line; what is wrong with it begins with "error: ".
[[nodiscard]] std::string obey(World &world, const std::string &line, const std::string &log_path);

class Control {
 public:
  // Listens at `path`. What each cut did to each change is added to the file `log_path` unless that is empty.
  Control(World &world, std::string path, std::string log_path);
  ~Control();
  Control(const Control &) = delete;
  Control &operator=(const Control &) = delete;
  [[nodiscard]] bool listening() const { return listener_ >= 0; }

 private:
  void run();
  void talk(int fd);

  World &world_;
  const std::string path_, log_path_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace gantry::test::powercut
