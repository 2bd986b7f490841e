import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.{ts,mjs}'],
    // The tests compare local wall-clock words, so the zone is part of what they say.
    env: { TZ: 'Asia/Shanghai' },
    unstubGlobals: true,
    // Files share a process: making a page for each of them took two thirds of the time.
    pool: 'forks',
    isolate: false,
    // Nothing here waits; a machine that does much else may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
