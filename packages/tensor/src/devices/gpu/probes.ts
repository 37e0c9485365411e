// Whether each back end works here, on what, and what to do if it does not.
import { type GpuMode, gpuModule } from "./engine.ts";

export interface Probe {
  /** Whether programs can run. */
  readonly works: boolean;
  /** Whether a graphics card computes: processors that pretend to be one are slower than device wasm. */
  readonly hardware: boolean;
  /** The adapter's name, or why there is none. */
  readonly about: string;
  /** What would make it work. */
  readonly fix?: string;
}
interface Adapter {
  readonly isFallbackAdapter?: boolean;
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
}
interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}
interface Context {
  getExtension(name: string): { readonly UNMASKED_RENDERER_WEBGL: number } | null;
  getParameter(name: number): unknown;
}
/** What a host may have of the web's and Node's globals. */
interface Host {
  navigator?: { readonly gpu?: Gpu; readonly hardwareConcurrency?: number };
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly OffscreenCanvas?: new (width: number, height: number) => { getContext(kind: "webgl2"): Context | null };
}
const host = globalThis as unknown as Host;
const onNode = (): boolean => host.process?.versions?.node !== undefined;
const missing = (about: string, fix: string): Probe => ({ works: false, hardware: false, about, fix });
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render/i;
const named = (about: string, software = false): Probe => ({
  works: true,
  hardware: !software && !SOFTWARE.test(about),
  about,
});

const PACKAGE = "webgpu";
/** Kernels write shared memory before they read it; software adapters take a second per kernel to clear it. */
const FLAGS = ["enable-dawn-features=disable_workgroup_init"];
const GL_PACKAGE = "gl";
/** Whether an import failed because there is no such package: as Node says it, and as Vite does. */
const isAbsent = (error: unknown): boolean => {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  return code === "ERR_MODULE_NOT_FOUND" || message.startsWith("Failed to load url");
};
/** gpu.js looks for `navigator.gpu`. Node has it from a package, for those who have added it. @throws what the package's import throws. */
async function findNavigatorGpu(): Promise<Gpu | undefined> {
  if (host.navigator?.gpu || !onNode()) return host.navigator?.gpu;
  const { create, globals } = (await import(/* @vite-ignore */ PACKAGE)) as {
    create(flags: readonly string[]): Gpu;
    globals: object;
  };
  Object.assign(globalThis, globals);
  const navigator = { hardwareConcurrency: host.navigator?.hardwareConcurrency ?? 1, gpu: create(FLAGS) };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  return navigator.gpu;
}

async function webgpu(): Promise<Probe> {
  let gpu: Gpu | undefined;
  try {
    gpu = await findNavigatorGpu();
  } catch (error) {
    return isAbsent(error)
      ? missing(`no package ${PACKAGE}`, `pnpm add -w ${PACKAGE}@0.6.2`)
      : missing(
          `package ${PACKAGE} does not load: ${(error as Error).message}`,
          "it needs the C++ library of Debian 12 or newer",
        );
  }
  if (!gpu) return missing("no navigator.gpu", "a browser with WebGPU, and a page from https or localhost");
  const adapter = await gpu.requestAdapter();
  if (!adapter)
    return onNode()
      ? missing(
          "no adapter",
          "the graphics card's Vulkan driver; for tests VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json",
        )
      : missing("no adapter", "hardware acceleration in the browser's settings, or --enable-unsafe-webgpu for tests");
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const about = [vendor, architecture, description].filter(Boolean).join(" ");
  return named(about || "an adapter without a name", isFallbackAdapter ?? adapter.isFallbackAdapter);
}

async function webgl2(): Promise<Probe> {
  const { GPU } = await gpuModule();
  if (!GPU.isWebGL2Supported)
    return onNode()
      ? missing("no WebGL2 outside of browsers", "a page in a browser, such as examples/browser")
      : missing("no WebGL2", "hardware acceleration in the browser's settings");
  const context = host.OffscreenCanvas ? new host.OffscreenCanvas(1, 1).getContext("webgl2") : null;
  const names = context?.getExtension("WEBGL_debug_renderer_info");
  return named(names ? String(context!.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "a renderer without a name");
}

async function headlessgl(): Promise<Probe> {
  const { GPU } = await gpuModule();
  if (GPU.isHeadlessGLSupported) return { works: true, hardware: false, about: "package gl: WebGL 1" };
  try {
    await import(/* @vite-ignore */ GL_PACKAGE);
  } catch (error) {
    if (isAbsent(error))
      return missing(
        `no package ${GL_PACKAGE}`,
        `pnpm add -w ${GL_PACKAGE}@8.1.6 --allow-build=${GL_PACKAGE}, which compiles for minutes`,
      );
    return missing(
      `package ${GL_PACKAGE} does not load: ${(error as Error).message}`,
      "build it for this version of Node",
    );
  }
  return missing(`package ${GL_PACKAGE} makes no context`, "a display, if only a virtual one: xvfb-run -a orepa ...");
}

export const probes: { readonly [M in GpuMode]: () => Promise<Probe> } = {
  webgpu,
  webgl2,
  headlessgl,
  webasm: async () =>
    "WebAssembly" in globalThis
      ? { works: true, hardware: false, about: "gpu.js on WebAssembly" }
      : missing("no WebAssembly", "device cpu"),
  cpu: async () => ({ works: true, hardware: false, about: "gpu.js on plain JavaScript" }),
};
