// The one test configuration: tests run on the TypeScript sources of every package.
import { defineConfig } from "vitest/config";

const conditions = ["development"];

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "default"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "default"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "docs/**/*.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    pool: "forks",
    globalSetup: ["scripts/test-worker.ts"],
    coverage: { provider: "v8", include: ["packages/*/src/**"] },
  },
});
