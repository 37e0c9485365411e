// The one test configuration: tests run on the TypeScript sources of every package, in Node and, those of the gpu device, in
// Chromium.
import { existsSync, readdirSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { chromium, chromiumMissing } from "./scripts/chromium.ts";

/** Tests of the gpu device on WebGPU run on the processor where there is no driver: on the one that Debian's chromium brings. */
const SOFTWARE = "/usr/lib/chromium/vk_swiftshader_icd.json";
const drivers = ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d"].filter(existsSync).flatMap((at) => readdirSync(at));
const isChosen = Object.keys(process.env).some((name) => /^VK_(ICD_FILENAMES|DRIVER_FILES)$/.test(name));
const needsSoftware = drivers.length === 0 && !isChosen && existsSync(SOFTWARE);

/** OREPA_WIDE=1: all kernels with 256-bit vectors, made by the optimizing compiler alone (Node 24 or later has the flag). */
const { OREPA_WIDE } = process.env;
const wide = OREPA_WIDE ? ["--experimental-wasm-revectorize", "--no-liftoff"] : [];

const IN_CHROMIUM = "packages/*/src/**/*.chromium.test.ts";
const conditions = (platform: "node" | "browser") => ["development", "module", platform, "default"];

const node: TestProjectConfiguration = {
  resolve: { conditions: conditions("node") },
  ssr: { resolve: { conditions: conditions("node") } },
  test: {
    name: "node",
    include: ["packages/*/src/**/*.test.ts", "docs/**/*.test.ts", "examples/*/*.test.ts"],
    exclude: [IN_CHROMIUM, "**/node_modules/**"],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    pool: "forks",
    execArgv: wide,
    env: needsSoftware ? { VK_ICD_FILENAMES: SOFTWARE } : {},
    globalSetup: ["scripts/test-worker.ts"],
  },
};
const inChromium = (launchOptions: NonNullable<typeof chromium>): TestProjectConfiguration => ({
  resolve: { conditions: conditions("browser") },
  // looked for anew before the first test: a page that finds more of them while it runs is loaded again
  optimizeDeps: { entries: [IN_CHROMIUM], force: true },
  test: {
    name: "chromium",
    include: [IN_CHROMIUM],
    testTimeout: 600_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      instances: [{ browser: "chromium" }],
    },
  },
});
if (!chromium) console.warn(`The tests in Chromium are left out: ${chromiumMissing}`);

export default defineConfig({
  test: {
    projects: chromium ? [node, inChromium(chromium)] : [node],
    coverage: { provider: "v8", include: ["packages/*/src/**"] },
  },
});
