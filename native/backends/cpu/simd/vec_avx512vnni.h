// Sixteen lanes of AVX-512. What each operation means: vec_serial.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace silverlode::cpu {

struct VecAvx512 {
  static constexpr int64_t kLanes = 16;
  static constexpr int kTileRows = 14;
  static constexpr int kTileWide = 2;
  static constexpr int kSingleWide = 8;
  // Some intrinsics are written in their masked form with every lane on: the same instruction, but compilers warn about
  // the undefined operand inside the plain form.
  static constexpr __mmask16 kAll = 0xffff;

  struct Int {
    __m512i v;
    Int() = default;
    Int(__m512i value) : v(value) {}
    Int(int32_t value) : v(_mm512_set1_epi32(value)) {}
    friend Int operator+(Int a, Int b) { return _mm512_add_epi32(a.v, b.v); }
    friend Int operator-(Int a, Int b) { return _mm512_sub_epi32(a.v, b.v); }
    friend Int operator&(Int a, Int b) { return _mm512_and_si512(a.v, b.v); }
    friend Int operator|(Int a, Int b) { return _mm512_or_si512(a.v, b.v); }
  };
  struct Mask {
    __mmask16 v;
    friend Mask operator&(Mask a, Mask b) { return {_kand_mask16(a.v, b.v)}; }
    friend Mask operator|(Mask a, Mask b) { return {_kor_mask16(a.v, b.v)}; }
    friend Mask operator!(Mask a) { return {_knot_mask16(a.v)}; }
  };

  __m512 v;
  VecAvx512() = default;
  VecAvx512(__m512 value) : v(value) {}
  VecAvx512(float value) : v(_mm512_set1_ps(value)) {}

  static VecAvx512 load(const float* from) { return _mm512_loadu_ps(from); }
  static VecAvx512 load_int8(const int8_t* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepi8_epi32(kAll, bytes));
  }
  static VecAvx512 load_f16(const uint16_t* from) {
    return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static VecAvx512 load_bf16(const uint16_t* from) {
    const __m512i wide = _mm512_maskz_cvtepu16_epi32(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, wide, 16));
  }
  void store(float* to) const { _mm512_storeu_ps(to, v); }

  friend VecAvx512 operator+(VecAvx512 a, VecAvx512 b) { return _mm512_add_ps(a.v, b.v); }
  friend VecAvx512 operator-(VecAvx512 a, VecAvx512 b) { return _mm512_sub_ps(a.v, b.v); }
  friend VecAvx512 operator*(VecAvx512 a, VecAvx512 b) { return _mm512_mul_ps(a.v, b.v); }
  friend VecAvx512 operator/(VecAvx512 a, VecAvx512 b) { return _mm512_div_ps(a.v, b.v); }
  friend VecAvx512 fma(VecAvx512 a, VecAvx512 b, VecAvx512 c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
  friend VecAvx512 sqrt(VecAvx512 a) { return _mm512_maskz_sqrt_ps(kAll, a.v); }
  friend VecAvx512 min(VecAvx512 a, VecAvx512 b) { return _mm512_maskz_min_ps(kAll, a.v, b.v); }
  friend VecAvx512 max(VecAvx512 a, VecAvx512 b) { return _mm512_maskz_max_ps(kAll, a.v, b.v); }
  friend Mask operator<(VecAvx512 a, VecAvx512 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  friend Mask operator<=(VecAvx512 a, VecAvx512 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
  friend Mask operator==(VecAvx512 a, VecAvx512 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  friend VecAvx512 select(Mask mask, VecAvx512 yes, VecAvx512 no) { return _mm512_mask_blend_ps(mask.v, no.v, yes.v); }

  friend Int bits(VecAvx512 a) { return _mm512_castps_si512(a.v); }
  static VecAvx512 from_bits(Int a) { return _mm512_castsi512_ps(a.v); }
  friend VecAvx512 to_float(Int a) { return _mm512_maskz_cvtepi32_ps(kAll, a.v); }
  template <int kBy>
  static Int shift_left(Int a) {
    return _mm512_maskz_slli_epi32(kAll, a.v, kBy);
  }
  template <int kBy>
  static Int shift_right(Int a) {
    return _mm512_maskz_srai_epi32(kAll, a.v, kBy);
  }
};

}  // namespace silverlode::cpu
