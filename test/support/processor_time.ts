/** Milliseconds of processor time of the whole process since an earlier moment: what else the machine does makes no difference. */
export function processorTimer(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}
