// The Chromium of the tests: the system's, with a graphics card that the processor plays, so that WebGL2 and WebGPU are there on
// every machine.
import { existsSync } from "node:fs";

const places = [
  ...["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"].map((name) => `/usr/bin/${name}`),
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];
/** Clearing the shared memory of groups of threads takes the processor a second per kernel. */
const quick = "--enable-dawn-features=disable_workgroup_init";
const args = ["--no-sandbox", "--disable-background-networking", ...software, quick];
const executablePath = places.find((path) => existsSync(path));

/** How Playwright starts it; undefined where there is none. */
export const chromium = executablePath === undefined ? undefined : { executablePath, args };
export const chromiumMissing = "there is no Chromium (apt-get install chromium)";
