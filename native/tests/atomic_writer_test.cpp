#include "snapshot/atomic_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "tests/temporary_folder.h"

namespace silverlode::snapshot {
namespace {

using tests::read_file;
using tests::TemporaryFolder;
using tests::write_file;

Status append(AtomicWriter& writer, const std::string& text) {
  return writer.append(text.data(), static_cast<int64_t>(text.size()));
}

TEST(AtomicWriter, PublishesOnlyOnCommit) {
  const TemporaryFolder folder;
  write_file(folder.path("file"), "old");
  AtomicWriter writer;
  ASSERT_TRUE(AtomicWriter::open(folder.path("file"), writer).ok());
  ASSERT_TRUE(append(writer, "new ").ok());
  ASSERT_TRUE(append(writer, "").ok());
  ASSERT_TRUE(append(writer, "content").ok());
  EXPECT_EQ(writer.size(), 11);
  EXPECT_EQ(read_file(folder.path("file")), "old");
  ASSERT_TRUE(writer.commit().ok());
  EXPECT_EQ(read_file(folder.path("file")), "new content");
  EXPECT_EQ(folder.names().size(), 1u);
  EXPECT_FALSE(writer.commit().ok());
  EXPECT_EQ(read_file(folder.path("file")), "new content");
}

TEST(AtomicWriter, WithoutCommitNothingRemains) {
  const TemporaryFolder folder;
  {
    AtomicWriter writer;
    ASSERT_TRUE(AtomicWriter::open(folder.path("file"), writer).ok());
    ASSERT_TRUE(append(writer, "unfinished").ok());
    EXPECT_EQ(folder.names().size(), 1u);
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(AtomicWriter, WritersOfOnePathDoNotMix) {
  const TemporaryFolder folder;
  AtomicWriter first, second;
  ASSERT_TRUE(AtomicWriter::open(folder.path("file"), first).ok());
  ASSERT_TRUE(AtomicWriter::open(folder.path("file"), second).ok());
  ASSERT_TRUE(append(first, "first").ok());
  ASSERT_TRUE(append(second, "second").ok());
  ASSERT_TRUE(second.commit().ok());
  EXPECT_EQ(read_file(folder.path("file")), "second");
  AtomicWriter moved(std::move(first));
  ASSERT_TRUE(append(moved, "!").ok());
  ASSERT_TRUE(moved.commit().ok());
  EXPECT_EQ(read_file(folder.path("file")), "first!");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST(AtomicWriter, RandomPiecesAddUp) {
  const TemporaryFolder folder;
  std::mt19937 random(11);
  std::string expected;
  AtomicWriter writer;
  ASSERT_TRUE(AtomicWriter::open(folder.path("file"), writer).ok());
  for (int piece = 0; piece < 200; ++piece) {
    const std::string text(random() % (piece % 10 == 0 ? 100000 : 100), static_cast<char>(random()));
    ASSERT_TRUE(append(writer, text).ok());
    expected += text;
  }
  ASSERT_TRUE(writer.commit().ok());
  EXPECT_EQ(read_file(folder.path("file")), expected);
}

TEST(AtomicWriter, FollowsTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  AtomicWriter writer;
  ASSERT_TRUE(AtomicWriter::open(folder.path("file"), writer).ok());
  ASSERT_TRUE(writer.commit().ok());
  ::umask(before);
  struct stat info;
  ASSERT_EQ(::stat(folder.path("file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST(AtomicWriter, NamesPathAndReason) {
  const TemporaryFolder folder;
  AtomicWriter writer;
  const Status missing = AtomicWriter::open(folder.path("no/such/folder"), writer);
  EXPECT_EQ(missing.code, Code::kIoError);
  EXPECT_NE(std::strstr(missing.text, folder.path("no/such/folder").c_str()), nullptr) << missing.text;
  EXPECT_NE(std::strstr(missing.text, "No such file"), nullptr) << missing.text;

  ASSERT_EQ(::mkdir(folder.path("target").c_str(), 0755), 0);
  ASSERT_TRUE(AtomicWriter::open(folder.path("target"), writer).ok());
  const Status directory = writer.commit();
  EXPECT_EQ(directory.code, Code::kIoError);
  EXPECT_NE(std::strstr(directory.text, "directory"), nullptr) << directory.text;
  EXPECT_EQ(folder.names().size(), 1u);

  EXPECT_EQ(AtomicWriter().commit().code, Code::kIoError);
  if (::geteuid() != 0) {  // root may write everywhere
    ASSERT_EQ(::chmod(folder.path("target").c_str(), 0555), 0);
    EXPECT_EQ(AtomicWriter::open(folder.path("target/file"), writer).code, Code::kIoError);
  }
}

// A full disk, played by the limit on file sizes: the write that crosses it is first cut short, then refused.
TEST(AtomicWriter, AFailedWriteLeavesTheOldFile) {
  const TemporaryFolder folder;
  write_file(folder.path("file"), "old");
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);

  AtomicWriter writer;
  const Status opened = AtomicWriter::open(folder.path("file"), writer);
  const Status fits = append(writer, std::string(600, 'x'));
  const Status full = append(writer, std::string(600, 'y'));
  const Status again = append(writer, "z");
  const Status committed = writer.commit();

  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);

  EXPECT_TRUE(opened.ok());
  EXPECT_TRUE(fits.ok());
  for (const Status& status : {full, again, committed}) {
    EXPECT_EQ(status.code, Code::kIoError);
    EXPECT_NE(std::strstr(status.text, "File too large"), nullptr) << status.text;
  }
  EXPECT_EQ(read_file(folder.path("file")), "old");
  EXPECT_EQ(folder.names().size(), 1u);
}

}  // namespace
}  // namespace silverlode::snapshot
