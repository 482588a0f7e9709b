import { defineConfig } from 'vitest/config';

/** Tests that need more than Node: Java, Maven, Python. One after another, since they measure nothing but take much. */
export default defineConfig({
  test: {
    include: ['test/services/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
