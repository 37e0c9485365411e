// The one test configuration: tests run on the TypeScript sources of every package.
import { existsSync, readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** Tests of the gpu device on WebGPU run on the processor where there is no driver: on the one that Debian's chromium brings. */
const SOFTWARE = "/usr/lib/chromium/vk_swiftshader_icd.json";
const drivers = ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d"].filter(existsSync).flatMap((at) => readdirSync(at));
const isChosen = Object.keys(process.env).some((name) => /^VK_(ICD_FILENAMES|DRIVER_FILES)$/.test(name));
const needsSoftware = drivers.length === 0 && !isChosen && existsSync(SOFTWARE);

const conditions = ["development"];

export default defineConfig({
  resolve: { conditions: [...conditions, "module", "node", "default"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "default"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "docs/**/*.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    pool: "forks",
    env: needsSoftware ? { VK_ICD_FILENAMES: SOFTWARE } : {},
    globalSetup: ["scripts/test-worker.ts"],
    coverage: { provider: "v8", include: ["packages/*/src/**"] },
  },
});
