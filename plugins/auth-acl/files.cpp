#include "files.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gantry::acl {
namespace {

Error file_error(const std::string &what, const std::string &path, const char *remedy) {
  const int number = errno;
  return Error{number == ENOENT ? GANTRY_E_NOT_FOUND : number == EEXIST ? GANTRY_E_EXISTS : GANTRY_E_IO, what + " " + path + ": " + std::strerror(number) + "; " + remedy, number};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string list_of(const std::vector<std::string> &texts) {
  std::string out;
  for (const std::string &text : texts) out += (out.empty() ? "" : ", ") + quoted(text);
  return "[" + out + "]";
}

std::string random_secret() {
  std::uint8_t bytes[24];
  GANTRY_ASSERT(RAND_bytes(bytes, sizeof bytes) == 1);
  std::uint8_t text[33];
  EVP_EncodeBlock(text, bytes, sizeof bytes);
  return reinterpret_cast<const char *>(text);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

}  // namespace

Error at_line(const std::string &path, std::uint64_t line, std::string what) {
  Error out{GANTRY_E_CONFIG, path + ":" + std::to_string(line) + ": " + std::move(what)};
  return out;
}

bool is_plain_acl(std::string_view path) { return path.ends_with(".yml") || path.ends_with(".yaml"); }

Result<std::unique_ptr<Rules>> load_rules(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error("rules cannot be read from", path, "see that the file is there and that this process may read it");
  std::string text;
  char buffer[16384];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) != 0 && text.size() <= kRulesMaxBytes) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  if (n < 0) {
    const Error error = file_error("rules cannot be read from", path, "see that it is a file");
    ::close(fd);
    return error;
  }
  ::close(fd);
  if (text.size() > kRulesMaxBytes) return Error{GANTRY_E_LIMIT, path + " is larger than 8 MiB"};
  return is_plain_acl(path) ? parse_plain_acl(text, path) : parse_toml(text, path);
}

std::string to_toml(const Rules &rules) {
  std::string out = "# Made of " + rules.file + ".\n";
  if (!rules.trusted.empty()) out += "\n# Whoever comes from there may do everything, without any login.\ntrusted_addresses = " + list_of(rules.trusted.texts()) + "\n";
  for (const auto &user : rules.users()) {
    out += "\n[[user]]\nname = " + quoted(user->name) + "\nsecret = " + quoted(user->secret) + "\n";
    if (user->super) out += "type = \"Super\"\n";
    if (!user->unsigned_from.empty()) out += "unsigned_from = " + list_of(user->unsigned_from.texts()) + "\n";
    if (!user->enabled) out += "status = \"disable\"\n";
    for (const Rule &rule : user->rules) {
      out += "\n[[user.policy]]\nresources = [" + quoted(rule.resource.text()) + "]\nactions = [";
      std::string list;
      for (std::uint32_t left = rule.actions; left != 0; left &= left - 1) list += (list.empty() ? "\"" : ", \"") + actions_text(left & -left) + "\"";
      out += (rule.actions == GANTRY_ACTION_ALL ? "\"All\"" : list) + "]\n";
      if (rule.sources != nullptr) out += "sources = [" + list_of(rule.sources->texts()).substr(1) + "\n";
      if (!rule.allow) out += "decision = \"Deny\"\n";
    }
  }
  return out;
}

Result<void> make_first_file(const std::string &path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return file_error("the first file of rules cannot be made:", path, "see that its folder is there and that this process may write to it");
  const std::string text =
      "# Who may do what at this broker; made at its first start. It is read again when it changes. Keys: docs/operations/access-control.md\n"
      "# This file holds secrets: keep it readable for the broker alone.\n\n"
      "# The administrator, who may do everything. mqadmin reads the same two values from conf/tools.yml: accessKey and secretKey.\n"
      "[[user]]\nname = \"admin\"\nsecret = \"" + random_secret() + "\"\ntype = \"Super\"\n";
  const bool written = ::fchmod(fd, 0600) == 0 && write_all(fd, text);
  const int number = errno;
  ::close(fd);
  if (written) return {};
  ::unlink(path.c_str());  // half a file would be taken for rules
  errno = number;
  return file_error("the first file of rules cannot be written:", path, "see that the disk has space");
}

}  // namespace gantry::acl
