// Before the tests: the worker threads' program as one JavaScript file, because Node 20 cannot run its sources. Tests take
// its place with inject("worker").
import type { TestProject } from "vitest/node";
import { bundle } from "../packages/tensor/src/devices/wasm/threads/bundle.cases.ts";

declare module "vitest" {
  export interface ProvidedContext {
    worker: string;
  }
}

export default async function setUp({ provide }: TestProject): Promise<() => Promise<void>> {
  const worker = await bundle(new URL("../packages/tensor/src/devices/wasm/threads/worker.ts", import.meta.url));
  provide("worker", worker.url.href);
  return () => worker.remove();
}
