// Mapping a file that passed its inspection: the checks that need the mapping, and that a mapping stays.
#include "kernel/plugin/library.hpp"
#include "plugin/sample_files.hpp"

namespace gantry::plugin {
namespace {

class LoaderTest : public test::SampleTest {
 protected:
  static void expect_refused(const std::string &path, std::int32_t code, const std::vector<std::string> &parts) {
    PluginFile file = inspect_file(path);
    ASSERT_FALSE(file.refusal) << file.refusal->text;
    const auto library = Library::load(file);
    ASSERT_FALSE(library) << path << " was loaded";
    EXPECT_EQ(library.error().code, code) << library.error().text;
    EXPECT_NE(library.error().text.find(path), std::string::npos) << library.error().text;
    for (const std::string &part : parts) EXPECT_NE(library.error().text.find(part), std::string::npos) << part << " is not in: " << library.error().text;
  }
};

TEST_F(LoaderTest, LoadsTheGoodOne) {
  const auto library = Library::load(inspect_file(put_variant("sample")));
  ASSERT_TRUE(library) << library.error().text;
  EXPECT_TRUE(code_ran()) << "the marker of the refusal tests would never be written";
  EXPECT_STREQ((*library)->entry().id, "test.sample");
  ASSERT_EQ((*library)->components().size(), 1u);
  const auto component = (*library)->component("gantry.protocol.draft/1");
  ASSERT_TRUE(component);
  EXPECT_STREQ((*component)->name, "sample");
  EXPECT_TRUE((*library)->component("gantry.protocol.draft/1", "sample"));
}

TEST_F(LoaderTest, UnknownComponentNamesTheNearest) {
  const auto library = Library::load(inspect_file(put_variant("sample")));
  ASSERT_TRUE(library);
  const auto near = (*library)->component("gantry.protocol.draft/1", "smaple");
  ASSERT_FALSE(near);
  EXPECT_EQ(near.error().code, GANTRY_E_NOT_FOUND);
  EXPECT_NE(near.error().text.find("did you mean \"sample\"?"), std::string::npos) << near.error().text;
  const auto far = (*library)->component("gantry.protocol.draft/1", "amqp-bridge");
  ASSERT_FALSE(far);
  EXPECT_NE(far.error().text.find("it has \"sample\""), std::string::npos) << far.error().text;
  EXPECT_FALSE((*library)->component("gantry.store.draft/1"));
}

TEST_F(LoaderTest, MissingDependencyIsNamedAndNothingRan) {
  expect_refused(put_variant("sample-needs-other"), GANTRY_E_IO, {"dynamic linking", "libsample-dependency.so"});
  EXPECT_FALSE(code_ran());
}

TEST_F(LoaderTest, NoteAndStructDisagreeAboutId) {
  const std::string bytes = with_manifest([](gantry_manifest &m) { test::set_field(m.id, "test.simple"); });
  expect_refused(put("disagree-id", bytes), GANTRY_E_CORRUPT, {"disagree about the id", "found \"test.sample\"", "wanted \"test.simple\""});
}
TEST_F(LoaderTest, NoteAndStructDisagreeAboutVersion) {
  const std::string bytes = with_manifest([](gantry_manifest &m) { test::set_field(m.version, "9.9.9"); });
  expect_refused(put("disagree-version", bytes), GANTRY_E_CORRUPT, {"disagree about the version", "found \"1.2.3\"", "wanted \"9.9.9\""});
}
TEST_F(LoaderTest, NoteOffersAnInterfaceThatNoComponentHas) {
  const std::string bytes =
      with_manifest([](gantry_manifest &m) { test::set_field(m.interfaces, "gantry.protocol.draft/1 gantry.store.draft/1"); });
  expect_refused(put("disagree-more", bytes), GANTRY_E_CORRUPT, {"note and struct disagree", "gantry.store.draft/1"});
}
TEST_F(LoaderTest, ComponentHasAnInterfaceThatTheNoteDoesNotOffer) {
  const std::string bytes = with_manifest([](gantry_manifest &m) { test::set_field(m.interfaces, "gantry.store.draft/1"); });
  expect_refused(put("disagree-less", bytes), GANTRY_E_INVALID, {"note and struct disagree", "gantry.protocol.draft/1"});
}
TEST_F(LoaderTest, ComponentNamedTwice) {
  expect_refused(put_variant("sample-twice"), GANTRY_E_EXISTS, {"component sample: found twice"});
}

TEST_F(LoaderTest, MappingOutlivesTheLibraryObject) {
  const std::string path = put("stays", sample_bytes());
  { ASSERT_TRUE(Library::load(inspect_file(path))); }
  EXPECT_NE(test::read_bytes("/proc/self/maps").find("stays.so"), std::string::npos);
}

}  // namespace
}  // namespace gantry::plugin
