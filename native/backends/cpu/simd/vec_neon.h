// Four lanes of NEON. What each operation means: vec_serial.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace silverlode::cpu {

struct VecNeon {
  static constexpr int64_t kLanes = 4;
  static constexpr int kTileRows = 6;
  static constexpr int kTileWide = 4;
  static constexpr int kSingleWide = 16;

  struct Int {
    int32x4_t v;
    Int() = default;
    Int(int32x4_t value) : v(value) {}
    Int(int32_t value) : v(vdupq_n_s32(value)) {}
    friend Int operator+(Int a, Int b) { return vaddq_s32(a.v, b.v); }
    friend Int operator-(Int a, Int b) { return vsubq_s32(a.v, b.v); }
    friend Int operator&(Int a, Int b) { return vandq_s32(a.v, b.v); }
    friend Int operator|(Int a, Int b) { return vorrq_s32(a.v, b.v); }
  };
  struct Mask {
    uint32x4_t v;
    friend Mask operator&(Mask a, Mask b) { return {vandq_u32(a.v, b.v)}; }
    friend Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.v, b.v)}; }
    friend Mask operator!(Mask a) { return {vmvnq_u32(a.v)}; }
  };

  float32x4_t v;
  VecNeon() = default;
  VecNeon(float32x4_t value) : v(value) {}
  VecNeon(float value) : v(vdupq_n_f32(value)) {}

  static VecNeon load(const float* from) { return vld1q_f32(from); }
  static VecNeon load_int8(const int8_t* from) {
    uint32_t four;
    std::memcpy(&four, from, 4);
    const int16x8_t wide = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
  }
  static VecNeon load_f16(const uint16_t* from) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))); }
  static VecNeon load_bf16(const uint16_t* from) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(from)), 16));
  }
  void store(float* to) const { vst1q_f32(to, v); }

  friend VecNeon operator+(VecNeon a, VecNeon b) { return vaddq_f32(a.v, b.v); }
  friend VecNeon operator-(VecNeon a, VecNeon b) { return vsubq_f32(a.v, b.v); }
  friend VecNeon operator*(VecNeon a, VecNeon b) { return vmulq_f32(a.v, b.v); }
  friend VecNeon operator/(VecNeon a, VecNeon b) { return vdivq_f32(a.v, b.v); }
  friend VecNeon fma(VecNeon a, VecNeon b, VecNeon c) { return vfmaq_f32(c.v, a.v, b.v); }
  friend VecNeon sqrt(VecNeon a) { return vsqrtq_f32(a.v); }
  // Not vminq and vmaxq: those give NaN when either side is NaN.
  friend VecNeon min(VecNeon a, VecNeon b) { return vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v); }
  friend VecNeon max(VecNeon a, VecNeon b) { return vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v); }
  friend Mask operator<(VecNeon a, VecNeon b) { return {vcltq_f32(a.v, b.v)}; }
  friend Mask operator<=(VecNeon a, VecNeon b) { return {vcleq_f32(a.v, b.v)}; }
  friend Mask operator==(VecNeon a, VecNeon b) { return {vceqq_f32(a.v, b.v)}; }
  friend VecNeon select(Mask mask, VecNeon yes, VecNeon no) { return vbslq_f32(mask.v, yes.v, no.v); }

  friend Int bits(VecNeon a) { return vreinterpretq_s32_f32(a.v); }
  static VecNeon from_bits(Int a) { return vreinterpretq_f32_s32(a.v); }
  friend VecNeon to_float(Int a) { return vcvtq_f32_s32(a.v); }
  template <int kBy>
  static Int shift_left(Int a) {
    return vshlq_n_s32(a.v, kBy);
  }
  template <int kBy>
  static Int shift_right(Int a) {
    return vshrq_n_s32(a.v, kBy);
  }
};

}  // namespace silverlode::cpu
