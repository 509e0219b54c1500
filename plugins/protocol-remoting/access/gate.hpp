// Lets a request pass, or says in RocketMQ's words why not. One per shard and component.
#pragma once

#include "access/needed.hpp"
#include "codec/header.hpp"

#include <gantry/draft/net.h>
#include <gantry/draft/security.h>

#include <string>
#include <string_view>

namespace gantry::remoting {

// Where a connection comes from; `text` must live as long as the result.
[[nodiscard]] gantry_peer peer_of(const gantry_conn_info &info, std::string_view text);

class Gate {
 public:
  // Everything passes where the host offers no access control, or the listener needs none.
  Gate(const gantry_host *host, std::uint32_t shard);

  [[nodiscard]] bool passes(const Header &header, std::string_view body, const gantry_peer &peer) {
    if (security_ == nullptr) [[likely]] return true;
    return admit(header, body, peer);
  }
  // Of the request that did not pass: the answer of RocketMQ 4.9 with aclEnable=true, a SYSTEM_ERROR, and why.
  [[nodiscard]] std::int32_t code() const;
  [[nodiscard]] const std::string &remark() const { return remark_; }

 private:
  [[nodiscard]] bool admit(const Header &header, std::string_view body, const gantry_peer &peer);
  void refuse_login(std::string_view access_key, std::uint32_t outcome);
  void refuse_access(const Header &header, std::string_view access_key, const gantry_authz &item);

  const gantry_host *const host_;
  const gantry_security_v1 *security_;
  const std::uint32_t shard_;
  Needed needed_;
  std::string content_, other_content_, remark_;
};

// Signs what this process asks of others, as the broker's own user. Fields and texts live as long as this.
class OwnSignature {
 public:
  explicit OwnSignature(const gantry_host *host) : host_(host), security_(static_cast<const gantry_security_v1 *>(host->query(host, GANTRY_SECURITY_ID))) {}

  // Puts AccessKey and Signature behind the n fields; returns their number, n where there is no access control. Names of fields are in lower case.
  [[nodiscard]] std::uint32_t sign(std::uint32_t shard, ExtField *fields, std::uint32_t n, std::string_view body);

 private:
  const gantry_host *const host_;
  const gantry_security_v1 *const security_;
  std::string content_;
  char access_key_[256], signature_[32];
};

}  // namespace gantry::remoting
