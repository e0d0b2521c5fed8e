// The selection engine against a full sort, on keys that are random, equal, clustered and extreme.
#include "backends/cpu/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace silverlode::cpu {
namespace {

constexpr RankKey kGuard = 0xdeadbeefdeadbeefull;

std::vector<RankKey> sorted(std::vector<RankKey> keys) {
  std::sort(keys.begin(), keys.end(), std::greater<RankKey>());
  return keys;
}

// How the scores of a case are drawn: each kind stresses another part of the histograms.
float draw_score(int kind, std::mt19937& random) {
  const float unit = std::uniform_real_distribution<float>(-1.0f, 1.0f)(random);
  switch (kind) {
    case 0: return unit;
    case 1: return 0.5f;                                            // all equal
    case 2: return static_cast<float>(static_cast<int>(unit * 3));  // few values, -0 among them
    case 3: return 1000.0f + unit * 1e-3f;                          // a common prefix
    case 4: return std::ldexp(unit, static_cast<int>(random() % 200) - 100);
    default: {
      const float special[] = {
          std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), -0.0f, 0.0f,
          unit};
      return special[random() % 6];
    }
  }
}

std::vector<RankKey> draw_keys(int64_t n, int kind, std::mt19937& random) {
  std::vector<RankKey> keys;
  for (int64_t i = 0; i < n; ++i)
    keys.push_back(make_key(draw_score(kind, random), static_cast<uint32_t>(i * 7919 % n)));
  return keys;
}

TEST(Order, KeysFollowScoresThenOrdinals) {
  const float inf = std::numeric_limits<float>::infinity();
  const float ascending[] = {std::nanf(""), -inf, -1.0f, -1e-45f, 0.0f, 1e-45f, 1.0f, inf};
  for (size_t i = 1; i < std::size(ascending); ++i) {
    EXPECT_LT(make_key(ascending[i - 1], 0), make_key(ascending[i], 0xfffffffe)) << i;
  }
  EXPECT_EQ(make_key(-0.0f, 3), make_key(0.0f, 3));
  EXPECT_GT(make_key(1.0f, 3), make_key(1.0f, 4));
  EXPECT_GT(make_key(-std::nanf(""), 0x7fffffff), kEmptyKey);
  EXPECT_EQ(key_ordinal(make_key(-2.5f, 77)), 77u);
  EXPECT_EQ(key_score(make_key(-2.5f, 77)), -2.5f);
  EXPECT_TRUE(std::isnan(key_score(make_key(std::nanf(""), 0))));
}

TEST(Select, SelectTopEqualsSort) {
  const uint32_t seed = 20240501;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int kind = 0; kind < 6; ++kind) {
    for (int64_t n : {1, 2, 31, 32, 33, 100, 255, 400, 4095, 4096, 20000}) {
      for (int64_t k : {int64_t{1}, int64_t{2}, n / 3, n / 2, n - 1, n}) {
        if (k < 1 || k > n) continue;
        std::vector<RankKey> keys = draw_keys(n, kind, random);
        const std::vector<RankKey> expected = sorted(keys);
        keys.push_back(kGuard);
        ASSERT_EQ(select_top(keys.data(), n, k), expected[k - 1]) << kind << " " << n << " " << k;
        ASSERT_EQ(keys.back(), kGuard);
        keys.resize(k);
        ASSERT_EQ(sorted(keys), std::vector<RankKey>(expected.begin(), expected.begin() + k))
            << kind << " " << n << " " << k;
      }
    }
  }
}

TEST(Select, FullRangeOfKeysDoesNotOverflow) {
  std::vector<RankKey> keys;
  for (uint64_t i = 0; i < 64; ++i) {
    keys.push_back(i);
    keys.push_back(~uint64_t{0} - i);
    keys.push_back(uint64_t{1} << i);
  }
  const std::vector<RankKey> expected = sorted(keys);
  for (size_t k = 1; k <= keys.size(); ++k) {
    std::vector<RankKey> copy = keys;
    ASSERT_EQ(select_top(copy.data(), static_cast<int64_t>(copy.size()), static_cast<int64_t>(k)), expected[k - 1])
        << k;
  }
}

TEST(Select, SortDescendingEqualsSort) {
  const uint32_t seed = 20240502;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int kind = 0; kind < 6; ++kind) {
    for (int64_t n : {0, 1, 2, 32, 33, 100, 1000, 4095, 4096, 10000}) {
      std::vector<RankKey> keys = n == 0 ? std::vector<RankKey>() : draw_keys(n, kind, random);
      const std::vector<RankKey> expected = sorted(keys);
      std::vector<RankKey> scratch(static_cast<size_t>(n) + 1, kGuard);
      sort_descending(keys.data(), n, scratch.data());
      ASSERT_EQ(keys, expected) << kind << " " << n;
      ASSERT_EQ(scratch.back(), kGuard);
    }
  }
}

TEST(Select, CollectorKeepsTheBest) {
  const uint32_t seed = 20240503;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int kind = 0; kind < 6; ++kind) {
    for (int64_t k : {0, 1, 2, 10, 100, 1024, 1025, 3000}) {
      for (int64_t n : {1, 9, 99, 100, 101, 5000, 30000}) {
        const std::vector<RankKey> keys = draw_keys(n, kind, random);
        std::vector<RankKey> storage(static_cast<size_t>(Collector::capacity(k)) + 1, kGuard);
        Collector collector(storage.data(), k);
        for (RankKey key : keys) {
          const float score = key_score(key);
          if (!(score < collector.floor())) collector.push(key);
        }
        std::vector<RankKey> expected = sorted(keys);
        expected.resize(static_cast<size_t>(std::min(k, n)));
        const int64_t count = collector.finish();
        ASSERT_EQ(std::vector<RankKey>(storage.begin(), storage.begin() + count), expected)
            << kind << " " << k << " " << n;
        ASSERT_EQ(storage.back(), kGuard);
      }
    }
  }
}

}  // namespace
}  // namespace silverlode::cpu
