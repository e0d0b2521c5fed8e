#include "program/recordings.h"

#include <gtest/gtest.h>

namespace silverlode {
namespace {

using Key = std::vector<int64_t>;

TEST(Recordings, KnowsAKeyFromItsSecondFind) {
  Recordings recordings;
  bool known = true;
  recordings.find(Key{1, 2}, known);
  EXPECT_FALSE(known);
  Recordings::Entry& entry = recordings.find(Key{1, 2}, known);
  EXPECT_TRUE(known);
  EXPECT_FALSE(entry.ready);
  entry.ready = true;
  EXPECT_TRUE(recordings.find(Key{1, 2}, known).ready);
  recordings.find(Key{1}, known);
  EXPECT_FALSE(known);
}

TEST(Recordings, KeepsEightAndGivesTheLeastRecentlyUsedOneToANewKey) {
  Recordings recordings;
  bool known = false;
  for (int64_t i = 0; i < 8; ++i) {
    Recordings::Entry& entry = recordings.find(Key{i}, known);
    entry.recording = std::make_shared<int64_t>(i);
    entry.ready = true;
  }
  recordings.find(Key{0}, known);  // now the newest
  EXPECT_TRUE(known);
  const Recordings::Entry& replaced = recordings.find(Key{100}, known);
  EXPECT_FALSE(known);
  EXPECT_FALSE(replaced.ready);
  EXPECT_EQ(*std::static_pointer_cast<int64_t>(replaced.recording), 1);  // to be updated
  for (int64_t i : {0, 2, 3, 4, 5, 6, 7, 100}) {
    recordings.find(Key{i}, known);
    EXPECT_TRUE(known) << i;
  }
  recordings.find(Key{1}, known);
  EXPECT_FALSE(known);
}

}  // namespace
}  // namespace silverlode
