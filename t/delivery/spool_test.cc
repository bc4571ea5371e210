#include "delivery/spool.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "auth/temp_dir.h"
#include "proxy/sockets.h"

namespace postern {
namespace {

std::string all_of(const Spool& spool, size_t piece = 1000) {
  std::string out, buffer(piece, '\0');
  for (;;) {
    const auto part = spool.read(out.size(), buffer.data(), piece);
    EXPECT_TRUE(part) << part.error();
    if (!part || part->empty()) return out;
    EXPECT_LE(part->size(), piece);
    out += *part;
  }
}

struct SpoolTest : testing::Test {
  SpoolTest() {
    auto opened = SpoolFolder::open(dir.path(""));
    EXPECT_TRUE(opened);
    folder = std::move(*opened);
  }
  bool has_names() const { return !std::filesystem::is_empty(dir.path("")); }

  TempDir dir;
  SpoolFolder folder;
};

// LMTP-38
TEST_F(SpoolTest, StaysInMemoryUpToTheLimitAndNotBeyond) {
  Spool spool(folder, 10);
  EXPECT_EQ(all_of(spool), "");
  ASSERT_TRUE(spool.append("0123"));
  ASSERT_TRUE(spool.append("456789"));
  EXPECT_TRUE(spool.is_in_memory());
  EXPECT_EQ(spool.size(), 10u);
  EXPECT_EQ(all_of(spool, 3), "0123456789");
  ASSERT_TRUE(spool.append("a"));
  EXPECT_FALSE(spool.is_in_memory());
  EXPECT_EQ(spool.size(), 11u);
  EXPECT_EQ(all_of(spool, 3), "0123456789a");
  ASSERT_TRUE(spool.append(""));
  ASSERT_TRUE(spool.append("bc"));
  EXPECT_EQ(all_of(spool), "0123456789abc");
  EXPECT_FALSE(has_names());
}

TEST_F(SpoolTest, AFirstPieceMayBeTooLargeForMemory) {
  Spool spool(folder, 10);
  const std::string text = test::pattern(300000);
  ASSERT_TRUE(spool.append(text));
  EXPECT_FALSE(spool.is_in_memory());
  EXPECT_EQ(all_of(spool, 4096), text);
  EXPECT_FALSE(has_names());
}

TEST_F(SpoolTest, IsReadFromAnyPlaceAnyNumberOfTimes) {
  Spool memory(folder, 100), file(folder, 0);
  for (Spool* spool : {&memory, &file}) {
    ASSERT_TRUE(spool->append("0123456789"));
    char buffer[4];
    EXPECT_EQ(*spool->read(7, buffer, sizeof buffer), "789");
    EXPECT_EQ(*spool->read(2, buffer, sizeof buffer), "2345");
    EXPECT_EQ(*spool->read(10, buffer, sizeof buffer), "");
    EXPECT_EQ(*spool->read(99, buffer, sizeof buffer), "");
    EXPECT_EQ(all_of(*spool), "0123456789");
  }
}

TEST_F(SpoolTest, FilesAreTheirOwnersAlone) {
  const auto file = folder.make_file();
  ASSERT_TRUE(file) << file.error();
  struct stat st;
  ASSERT_EQ(::fstat(file->get(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(st.st_nlink, 0u);
}

// A file that cannot grow, as on a device that is full.
struct NoRoom {
  explicit NoRoom(rlim_t bytes) {
    before = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit small{bytes, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~NoRoom() {
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, before);
  }
  rlimit limit{};
  void (*before)(int);
};

TEST_F(SpoolTest, WithoutRoomItIsBrokenForGood) {
  Spool spool(folder, 10);
  ASSERT_TRUE(spool.append("0123456789a"));
  Status first, second, third;
  {
    const NoRoom no_room(20);
    first = spool.append(std::string(100, 'x'));
    second = spool.append("y");
  }
  third = spool.append("z");
  EXPECT_FALSE(first);
  EXPECT_TRUE(first.error().starts_with("mail_temp_dir: ")) << first.error();
  EXPECT_FALSE(second);
  EXPECT_FALSE(third) << "what is lost does not come back with room";
  EXPECT_EQ(spool.size(), 11u);
}

TEST_F(SpoolTest, WithoutRoomForWhatIsInMemory) {
  Spool spool(folder, 100);
  ASSERT_TRUE(spool.append(std::string(100, 'x')));
  {
    const NoRoom no_room(20);
    EXPECT_FALSE(spool.append("y"));
  }
  EXPECT_FALSE(spool.append("y"));
  EXPECT_EQ(spool.size(), 100u);
}

TEST(SpoolFolder, SaysWhatIsWrong) {
  const auto missing = SpoolFolder::open("/nonexistent/folder");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), "/nonexistent/folder: No such file or directory");
  EXPECT_FALSE(SpoolFolder::open("/dev/null"));
  EXPECT_EQ(SpoolFolder().make_file().error(), "mail_temp_dir is not available");
  const auto odd = SpoolFolder::open("/proc");  // a file system without nameless files
  ASSERT_TRUE(odd);
  const auto file = odd->make_file();
  ASSERT_FALSE(file);
  EXPECT_TRUE(file.error().starts_with("mail_temp_dir: no file without a name can be made: ")) << file.error();
}

}  // namespace
}  // namespace postern
