// TLS beside plain on one port, with certificates made here.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <gantry++/str.hpp>
#include <thread>

#include "tests/io/client.hpp"
#include "tests/io/echo_protocol.hpp"

namespace gantry::io::test {
namespace {

// A self-signed certificate and its key as PEM files.
void make_certificate(const std::string &name, const std::string &certificate_file, const std::string &key_file) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME *subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  ASSERT_NE(X509_sign(certificate, key, EVP_sha256()), 0);
  FILE *out = fopen(certificate_file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  PEM_write_X509(out, certificate);
  fclose(out);
  out = fopen(key_file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class Tls : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/gantry-io-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder = pattern;
    make_certificate("first", folder + "/cert.pem", folder + "/key.pem");
    f.listen.tls = {TlsMode::kOptional, folder + "/cert.pem", folder + "/key.pem"};
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string folder;
  Fixture f{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Shards, Tls, testing::Values(1u, 4u));

TEST_P(Tls, PlainAndTlsOnOnePort) {
  f.start();
  Client plain, tls;
  ASSERT_TRUE(tls.connect(f.port()));
  ASSERT_TRUE(tls.start_tls());
  ASSERT_TRUE(tls.send_frame("Esecret"));
  EXPECT_EQ(tls.read_frame(), "Esecret");
  EXPECT_EQ(tls.certificate_name(), "first");
  ASSERT_TRUE(plain.connect(f.port()));
  ASSERT_TRUE(plain.send_frame("Eopen"));
  EXPECT_EQ(plain.read_frame(), "Eopen");
  EXPECT_EQ(f.protocol.tls_opened, 1);
  EXPECT_EQ(f.protocol.opened, 2);
}

TEST_P(Tls, LargeFramesAndPipelining) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.start_tls());
  const std::string big = "E" + std::string(4 << 20, 't');
  ASSERT_TRUE(c.send_frame(big));
  EXPECT_TRUE(c.read_frame() == big);
  std::string many;
  for (int i = 0; i < 500; ++i) many += frame("N" + std::string(static_cast<std::size_t>(i), 'p'));
  ASSERT_TRUE(c.send(many));
  for (std::size_t i = 0; i < 500; ++i) ASSERT_EQ(c.read_frame().size(), i + 1);
}

TEST_P(Tls, AgainAndCloseAfterFlushWorkTheSame) {
  f.protocol.gate = false;
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.start_tls());
  ASSERT_TRUE(c.send(frame("Astalled") + frame("C" + std::string(3 << 20, 'c'))));
  ASSERT_TRUE(eventually([&] { return f.protocol.again_answers > 0; }));
  f.protocol.gate = true;
  EXPECT_EQ(c.read_frame(), "Astalled");
  EXPECT_EQ(c.read_frame().size(), (3u << 20) + 1);
  EXPECT_TRUE(c.at_end());
}

TEST_P(Tls, RequiredRefusesPlainPeers) {
  f.listen.tls.mode = TlsMode::kRequired;
  f.start();
  Client plain, tls;
  ASSERT_TRUE(plain.connect(f.port()));
  ASSERT_TRUE(plain.send_frame("Eopen"));
  EXPECT_TRUE(plain.at_end());
  EXPECT_EQ(f.protocol.opened, 0);
  EXPECT_EQ(f.set->stats().refused, 1u);
  ASSERT_TRUE(tls.connect(f.port()));
  ASSERT_TRUE(tls.start_tls());
  ASSERT_TRUE(tls.send_frame("Esecret"));
  EXPECT_EQ(tls.read_frame(), "Esecret");
}

TEST_P(Tls, OffRefusesTlsPeers) {
  f.listen.tls = {};
  f.start();
  Client tls;
  ASSERT_TRUE(tls.connect(f.port()));
  EXPECT_FALSE(tls.start_tls());
  EXPECT_TRUE(eventually([&] { return f.set->stats().refused == 1; }));
}

TEST_P(Tls, AHandshakeThatDoesNotGoOnIsClosed) {
  f.options.handshake_timeout_ms = 150;
  f.listen.tls.mode = TlsMode::kRequired;
  f.start();
  Client silent, half;
  ASSERT_TRUE(silent.connect(f.port()));
  ASSERT_TRUE(half.connect(f.port()));
  ASSERT_TRUE(half.send(std::string("\x16\x03\x01\x02\x00", 5)));
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(half.at_end());
  EXPECT_EQ(f.protocol.opened, 0);
}

TEST_P(Tls, GarbageAfterTheFirstByteIsClosed) {
  f.start();
  Client c;
  ASSERT_TRUE(c.connect(f.port()));
  ASSERT_TRUE(c.send("\x16" + std::string(500, 'g')));
  (void)c.read(100);  // an alert
  EXPECT_TRUE(c.at_end());
  EXPECT_EQ(f.set->stats().closed_error, 1u);
}

TEST_P(Tls, ReloadTakesTheNewCertificateAndABadOneChangesNothing) {
  f.start();
  make_certificate("second", folder + "/cert.pem", folder + "/key.pem");
  ASSERT_TRUE(f.set->reload_tls().ok());
  Client second;
  ASSERT_TRUE(second.connect(f.port()));
  ASSERT_TRUE(second.start_tls());
  EXPECT_EQ(second.certificate_name(), "second");
  std::filesystem::remove(folder + "/key.pem");
  auto failed = f.set->reload_tls();
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().text.find("key.pem"), std::string::npos) << failed.error().text;
  Client still;
  ASSERT_TRUE(still.connect(f.port()));
  ASSERT_TRUE(still.start_tls());
  EXPECT_EQ(still.certificate_name(), "second");
}

TEST_P(Tls, ListenSaysWhichFileIsWrong) {
  f.start();
  ListenOptions wrong = f.listen;
  wrong.tls.certificate_file = folder + "/missing.pem";
  auto missing = f.set->listen(wrong);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, GANTRY_E_CONFIG);
  EXPECT_NE(missing.error().text.find("missing.pem"), std::string::npos) << missing.error().text;
  wrong.tls = {TlsMode::kRequired, "", ""};
  EXPECT_EQ(f.set->listen(wrong).error().code, GANTRY_E_CONFIG);
  make_certificate("other", folder + "/other.pem", folder + "/other-key.pem");
  wrong.tls = {TlsMode::kOptional, folder + "/cert.pem", folder + "/other-key.pem"};
  EXPECT_EQ(f.set->listen(wrong).error().code, GANTRY_E_CONFIG);
}

TEST_P(Tls, OutboundToOneself) {
  f.start();
  const auto *net = table_of<gantry_net_v1>(f.protocol.host, GANTRY_NET_ID);
  const std::string address = "127.0.0.1:" + std::to_string(f.port());
  ASSERT_EQ(net->connect(&f.protocol.host.abi, 0, str(address), 1, 7), GANTRY_OK);
  EXPECT_TRUE(eventually([&] { return f.protocol.outbound_reply() == "Ehello"; }));
  EXPECT_EQ(f.protocol.tls_opened, 2);
}

TEST_P(Tls, ACaFileThatCannotBeReadIsSaidAtTheStart) {
  IoOptions options;
  options.outbound_ca_file = folder + "/no-ca.pem";
  auto made = ShardSet::create(options);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, GANTRY_E_CONFIG);
  EXPECT_NE(made.error().text.find("no-ca.pem"), std::string::npos) << made.error().text;
}

TEST_P(Tls, OutboundRefusesAServerItCannotVerify) {
  make_certificate("stranger", folder + "/ca.pem", folder + "/ca-key.pem");
  f.options.outbound_ca_file = folder + "/ca.pem";
  f.start();
  const auto *net = table_of<gantry_net_v1>(f.protocol.host, GANTRY_NET_ID);
  const std::string address = "127.0.0.1:" + std::to_string(f.port());
  ASSERT_EQ(net->connect(&f.protocol.host.abi, 0, str(address), 1, 7), GANTRY_OK);
  EXPECT_TRUE(eventually([&] { return f.protocol.connect_failures == 1; }));
  EXPECT_NE(f.protocol.failure_text().find("certificate verify failed"), std::string::npos) << f.protocol.failure_text();
  EXPECT_EQ(f.protocol.outbound_opened, 0);
}

}  // namespace
}  // namespace gantry::io::test
