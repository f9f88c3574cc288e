import { defineConfig } from "vitest/config";

/** Drives a real browser against a real server; see browser/README.md for what it needs. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["browser/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 60_000,
    bail: 1,
  },
});
