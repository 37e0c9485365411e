// The page as built, minified and served, in Chromium: every button is clicked, on a desktop and on a phone.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium as launcher, type Page } from "playwright";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromium, chromiumMissing } from "../../scripts/chromium.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
/** Long enough for a machine that does other things as well. */
const PATIENCE = 180_000;

/** Where to put pictures of the page: for docs/. */
const { PAGE_PICTURES: pictures } = process.env;
const screens = [
  { name: "a desktop", viewport: { width: 1280, height: 900 }, device: "wasm" },
  {
    name: "a phone",
    viewport: { width: 375, height: 740 },
    device: "gpu:webgpu",
  },
] as const;

describe.skipIf(!chromium)(`the page${chromium ? "" : `: ${chromiumMissing}`}`, () => {
  let server: PreviewServer;
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "orepa-page-"));
    const quiet = { root, logLevel: "warn" } as const;
    await build({ ...quiet, build: { outDir: folder, emptyOutDir: true } });
    server = await preview({ ...quiet, build: { outDir: folder }, preview: { port: 0, host: "127.0.0.1" } });
    browser = await launcher.launch(chromium);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(screens)("trains, checks its gradients and merges on $name", async ({ name, viewport, device }) => {
    const page = await browser.newPage({ viewport });
    page.setDefaultTimeout(PATIENCE);
    const errors: string[] = [];
    const loaded: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("request", (request) => loaded.push(request.url()));
    await page.goto(server.resolvedUrls!.local[0]!);
    // every device has said what it is
    await expect.poll(() => page.locator(".device[data-works]").count(), { timeout: PATIENCE }).toBe(3);
    expect(await page.locator("button:disabled").count()).toBe(3);
    await choose(page, device);

    await page.getByRole("button", { name: "Train", exact: true }).click();
    if (device !== "wasm") {
      await expect.poll(() => page.locator("#train-result").textContent(), { timeout: PATIENCE }).toMatch(/^Step \d\d/);
      await page.getByRole("button", { name: "Stop" }).click();
    }
    await done(page);
    const { first, last } = await results(page, "train");
    expect(last).toBeLessThan(device === "wasm" ? first! / 5 : first!);
    expect(await page.locator("#curve path.smooth").getAttribute("d")).toMatch(/^M.*L/);
    if (device === "wasm") expect(await page.locator("#digits .good").count()).toBeGreaterThan(16);

    await page.getByRole("button", { name: "Check gradients" }).click();
    await done(page);
    const { agree, total } = await results(page, "gradients");
    expect(total).toBeGreaterThan(20);
    expect(agree, (await page.locator("#gradients-table").textContent())!).toBe(total);

    await page.getByRole("button", { name: "Merge and compare" }).click();
    await done(page);
    const { deviation, same } = await results(page, "merge");
    expect(deviation).toBeLessThan(1e-4);
    expect(same).toBe(64);

    // Nothing is wider than the screen.
    const width = await page.evaluate("document.documentElement.scrollWidth");
    expect(width).toBeLessThanOrEqual(viewport.width);
    if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });

    await page.getByText("Does it compute right?").click();
    await choose(page, "wasm");
    await page.getByRole("button", { name: "Check every primitive" }).click();
    await done(page);
    const { passed, failed } = await results(page, "check");
    expect(failed).toBe(0);
    expect(passed).toBeGreaterThan(200);
    expect(errors).toEqual([]);
    await page.close();
  });
});

const choose = (page: Page, device: string): Promise<void> => page.locator(`input[value="${device}"]`).check();
/** Waits until the page is done with what was asked. */
async function done(page: Page): Promise<void> {
  await page.locator("body:not([data-busy])").waitFor();
}
/** The numbers that the page has written. */
async function results(page: Page, id: string): Promise<Record<string, number>> {
  const texts = (await page.evaluate(`({ ...document.getElementById("${id}-result").dataset })`)) as object;
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Number(text)]));
}
