import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'engine/**/*.test.ts',
      'functions/**/*.test.ts',
      'cdk/**/*.test.ts',
      'local/**/*.test.ts',
      'examples/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/services/**'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The default of a second is too short where a machine is slow; what holds is found as soon as it does.
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
});
