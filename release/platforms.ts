// Every package but the root one that holds something native: `@silverlode/<platform>`.

export interface Platform {
  readonly name: string;
  readonly os: string;
  readonly cpu: string;
  readonly libc?: 'glibc' | 'musl';
  /** The file that the package is about. */
  readonly file: string;
}

const addon = (name: string, os: string, cpu: string, libc?: Platform['libc']): Platform => ({
  name,
  os,
  cpu,
  libc,
  file: 'silverlode.node',
});

/** Those that the root package depends on optionally. */
export const PLATFORMS: readonly Platform[] = [
  addon('linux-x64', 'linux', 'x64', 'glibc'),
  addon('linux-arm64', 'linux', 'arm64', 'glibc'),
  addon('linuxmusl-x64', 'linux', 'x64', 'musl'),
  addon('linuxmusl-arm64', 'linux', 'arm64', 'musl'),
  addon('darwin-arm64', 'darwin', 'arm64'),
  addon('darwin-x64', 'darwin', 'x64'),
  addon('win32-x64', 'win32', 'x64'),
];

/** The CUDA plugin, which those install who want it. */
export const CUDA: Platform = {
  name: 'linux-x64-cuda',
  os: 'linux',
  cpu: 'x64',
  libc: 'glibc',
  file: 'silverlode_cuda.so',
};
