import type { StepProfile } from '../program/program.js';

/** One stage of a profiled run, compared with what the memory of the machine gives. */
export interface StageProfile extends StepProfile {
  gigabytesPerSecond: number;
  /**
   * `gigabytesPerSecond` as a share of the read bandwidth measured on the model's threads. Above 1 where data comes from the
   * caches; small for stages that compute (linear, over_arch) or touch little.
   */
  ceilingShare: number;
}

/** What a scanned row costs beside its int8 values: its scale and its ordinal. */
const ROW_OVERHEAD_BYTES = 8;

/**
 * Adds rates to steps. The scan gets the rows and bytes that it really read; all other steps have those of their inputs and
 * outputs, an upper bound.
 *
 * @param scan Rows scored, and bytes of an index row.
 * @param bandwidth Bytes per second.
 */
export function toStages(
  steps: readonly StepProfile[],
  scan: { rows: number; rowBytes: number },
  bandwidth: number,
): StageProfile[] {
  return steps.map((step) => {
    const isScan = step.op === 'ivf_scan' || step.op === 'ivf_search';
    const rows = isScan ? scan.rows : step.rows;
    const bytes = isScan ? scan.rows * (scan.rowBytes + ROW_OVERHEAD_BYTES) : step.bytes;
    const bytesPerSecond = step.milliseconds > 0 ? (bytes / step.milliseconds) * 1000 : 0;
    const ceilingShare = bandwidth > 0 ? bytesPerSecond / bandwidth : 0;
    return { ...step, rows, bytes, gigabytesPerSecond: bytesPerSecond / 1e9, ceilingShare };
  });
}
