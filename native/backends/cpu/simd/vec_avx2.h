// Eight lanes of AVX2 with FMA and F16C. What each operation means: vec_serial.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace silverlode::cpu {

struct VecAvx2 {
  static constexpr int64_t kLanes = 8;
  static constexpr int kTileRows = 6;
  static constexpr int kTileWide = 2;
  static constexpr int kSingleWide = 8;

  struct Int {
    __m256i v;
    Int() = default;
    Int(__m256i value) : v(value) {}
    Int(int32_t value) : v(_mm256_set1_epi32(value)) {}
    friend Int operator+(Int a, Int b) { return _mm256_add_epi32(a.v, b.v); }
    friend Int operator-(Int a, Int b) { return _mm256_sub_epi32(a.v, b.v); }
    friend Int operator&(Int a, Int b) { return _mm256_and_si256(a.v, b.v); }
    friend Int operator|(Int a, Int b) { return _mm256_or_si256(a.v, b.v); }
  };
  struct Mask {
    __m256 v;
    friend Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
    friend Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
    friend Mask operator!(Mask a) { return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
  };

  __m256 v;
  VecAvx2() = default;
  VecAvx2(__m256 value) : v(value) {}
  VecAvx2(float value) : v(_mm256_set1_ps(value)) {}

  static VecAvx2 load(const float* from) { return _mm256_loadu_ps(from); }
  static VecAvx2 load_int8(const int8_t* from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
  static VecAvx2 load_f16(const uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static VecAvx2 load_bf16(const uint16_t* from) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  void store(float* to) const { _mm256_storeu_ps(to, v); }

  friend VecAvx2 operator+(VecAvx2 a, VecAvx2 b) { return _mm256_add_ps(a.v, b.v); }
  friend VecAvx2 operator-(VecAvx2 a, VecAvx2 b) { return _mm256_sub_ps(a.v, b.v); }
  friend VecAvx2 operator*(VecAvx2 a, VecAvx2 b) { return _mm256_mul_ps(a.v, b.v); }
  friend VecAvx2 operator/(VecAvx2 a, VecAvx2 b) { return _mm256_div_ps(a.v, b.v); }
  friend VecAvx2 fma(VecAvx2 a, VecAvx2 b, VecAvx2 c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
  friend VecAvx2 sqrt(VecAvx2 a) { return _mm256_sqrt_ps(a.v); }
  friend VecAvx2 min(VecAvx2 a, VecAvx2 b) { return _mm256_min_ps(a.v, b.v); }
  friend VecAvx2 max(VecAvx2 a, VecAvx2 b) { return _mm256_max_ps(a.v, b.v); }
  friend Mask operator<(VecAvx2 a, VecAvx2 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
  friend Mask operator<=(VecAvx2 a, VecAvx2 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
  friend Mask operator==(VecAvx2 a, VecAvx2 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
  friend VecAvx2 select(Mask mask, VecAvx2 yes, VecAvx2 no) { return _mm256_blendv_ps(no.v, yes.v, mask.v); }

  friend Int bits(VecAvx2 a) { return _mm256_castps_si256(a.v); }
  static VecAvx2 from_bits(Int a) { return _mm256_castsi256_ps(a.v); }
  friend VecAvx2 to_float(Int a) { return _mm256_cvtepi32_ps(a.v); }
  template <int kBy>
  static Int shift_left(Int a) {
    return _mm256_slli_epi32(a.v, kBy);
  }
  template <int kBy>
  static Int shift_right(Int a) {
    return _mm256_srai_epi32(a.v, kBy);
  }
};

}  // namespace silverlode::cpu
