import type { AnyTensor } from '../program/trace.js';

/** The eligibility index as tensors; layout and meaning in native/ops/filter_index.h. */
export interface FilterIndexTensors {
  /** int64 [S, W]: exact bit slices. */
  slices: AnyTensor;
  /** int64 [positions, 8]: bit-sliced Bloom signatures. */
  bloom: AnyTensor;
  /** int64 [W/8 + 1]. */
  bloomOffsets: AnyTensor;
  /** int32 [F32, N] and int64 [F64, N]: numeric columns. */
  columns32: AnyTensor;
  columns64: AnyTensor;
  /** int32 [N + 1] and int32: ascending term ids per row, for the exact check. */
  termOffsets: AnyTensor;
  terms: AnyTensor;
}

/** A batch of compiled plans. */
export interface FilterPlanTensors {
  /** int32 [plans + 1]. */
  offsets: AnyTensor;
  /** int64 [steps, 4]. */
  steps: AnyTensor;
}

/** The seven index tensors in the order every op takes them. */
export function filterIndexOperands(index: FilterIndexTensors): AnyTensor[] {
  const { slices, bloom, bloomOffsets, columns32, columns64, termOffsets, terms } = index;
  return [slices, bloom, bloomOffsets, columns32, columns64, termOffsets, terms];
}
