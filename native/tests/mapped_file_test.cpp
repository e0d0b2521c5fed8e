#include "snapshot/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

std::string random_text(int64_t n) {
  std::mt19937 random(static_cast<uint32_t>(n));
  std::string text(static_cast<size_t>(n), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

void expect_io_error(const std::string& path, const char* reason) {
  MappedFile file;
  const Status status = MappedFile::open(path, file);
  EXPECT_EQ(status.code, Code::kIoError) << path;
  EXPECT_NE(std::strstr(status.text, path.c_str()), nullptr) << status.text;
  EXPECT_NE(std::strstr(status.text, reason), nullptr) << status.text;
  EXPECT_EQ(file.data(), nullptr);
}

TEST(MappedFile, HoldsTheBytesOfTheFile) {
  const TemporaryFolder folder;
  for (int64_t size : {int64_t{1}, int64_t{63}, int64_t{64}, int64_t{4097}, MappedFile::kMapFrom - 1,
                       MappedFile::kMapFrom, 3 * MappedFile::kMapFrom + 17}) {
    const std::string content = random_text(size);
    write_file(folder.path("file"), content);
    MappedFile file;
    const Status status = MappedFile::open(folder.path("file"), file);
    ASSERT_TRUE(status.ok()) << status.text;
    ASSERT_EQ(file.size(), size);
    EXPECT_EQ(file.mapped(), size >= MappedFile::kMapFrom);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(file.data()) % 64, 0u);
    file.prefetch();
    EXPECT_EQ(std::memcmp(file.data(), content.data(), content.size()), 0) << size;
  }
}

TEST(MappedFile, UpdatesStayPrivate) {
  const TemporaryFolder folder;
  for (int64_t size : {int64_t{100}, MappedFile::kMapFrom + 100}) {
    const std::string content = random_text(size);
    write_file(folder.path("file"), content);
    MappedFile file;
    ASSERT_TRUE(MappedFile::open(folder.path("file"), file).ok());
    std::memset(file.data(), 0, static_cast<size_t>(size));
    EXPECT_EQ(read_file(folder.path("file")), content);
  }
}

TEST(MappedFile, SurvivesReplacementAndRemovalOfItsPath) {
  const TemporaryFolder folder;
  const std::string content = random_text(MappedFile::kMapFrom + 5);
  write_file(folder.path("file"), content);
  MappedFile file;
  ASSERT_TRUE(MappedFile::open(folder.path("file"), file).ok());
  write_file(folder.path("new"), "new");
  ASSERT_EQ(::rename(folder.path("new").c_str(), folder.path("file").c_str()), 0);
  ASSERT_EQ(::unlink(folder.path("file").c_str()), 0);
  EXPECT_EQ(std::memcmp(file.data(), content.data(), content.size()), 0);
}

TEST(MappedFile, MovesItsMemory) {
  const TemporaryFolder folder;
  write_file(folder.path("small"), "small");
  write_file(folder.path("large"), random_text(MappedFile::kMapFrom));
  MappedFile small, large;
  ASSERT_TRUE(MappedFile::open(folder.path("small"), small).ok());
  ASSERT_TRUE(MappedFile::open(folder.path("large"), large).ok());
  MappedFile moved(std::move(small));
  EXPECT_EQ(std::memcmp(moved.data(), "small", 5), 0);
  moved = std::move(large);
  EXPECT_EQ(moved.size(), MappedFile::kMapFrom);
  EXPECT_TRUE(moved.mapped());
}

TEST(MappedFile, RefusesWhatIsNoReadableFile) {
  const TemporaryFolder folder;
  expect_io_error(folder.path("missing"), "No such file");
  expect_io_error(folder.path(), "directory");

  write_file(folder.path("empty"), "");
  expect_io_error(folder.path("empty"), "empty");

  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  expect_io_error(folder.path("pipe"), "not a regular file");

  ASSERT_EQ(::symlink(folder.path("missing").c_str(), folder.path("dangling").c_str()), 0);
  expect_io_error(folder.path("dangling"), "No such file");

  if (::geteuid() != 0) {  // root may read everything
    write_file(folder.path("secret"), "secret");
    ASSERT_EQ(::chmod(folder.path("secret").c_str(), 0), 0);
    expect_io_error(folder.path("secret"), "denied");
  }
}

}  // namespace
}  // namespace silverlode::snapshot
