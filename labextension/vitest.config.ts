import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.{ts,mjs}'],
    setupFiles: ['test/setup.ts'],
    // The tests compare local times, so they need a fixed time zone.
    env: { TZ: 'Asia/Shanghai' },
    unstubGlobals: true,
    // Files share a process: making a page for each of them took two thirds of the time.
    pool: 'forks',
    isolate: false,
    // No test waits, but a busy machine may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
