// Which device a command takes: a graphics card where one is found, never a processor that pretends to be one, and always the
// one that is named or none.
import * as tensor from "@orepa/tensor";
import { afterEach, describe, expect, test, vi } from "vitest";
import { chooseDevice } from "./devices.ts";

const answers = vi.hoisted(() => ({ files: true, opened: [] as string[], webgpu: "none" }));
vi.mock(import("node:fs"), async (original) => ({ ...(await original()), existsSync: () => answers.files }));
vi.mock(import("@orepa/tensor"), async (original) => {
  const actual = await original();
  const gpuStatus: typeof actual.gpuStatus = async (name) => {
    if (name !== "gpu" && name !== "gpu:webgpu") return actual.gpuStatus(name);
    const hardware = answers.webgpu === "card";
    const works = name === "gpu" ? hardware : answers.webgpu !== "none";
    return { works, hardware, about: `a ${answers.webgpu}`, ...(works ? { mode: "webgpu" } : { fix: "a driver" }) };
  };
  // Nothing is computed, so that anything may stand for the card.
  const createGpu: typeof actual.createGpu = (name) =>
    Object.assign(actual.createGpu("gpu:cpu"), { name, open: async () => void answers.opened.push(name!) });
  return { ...actual, gpuStatus, createGpu };
});
afterEach(() => {
  Object.assign(answers, { files: true, opened: [], webgpu: "none" });
});
const choose = async (device: string, more: { threads?: number; wide?: boolean } = {}) => {
  const { name, about } = await chooseDevice({ device, threads: null, ...more });
  return `${name}, ${about}`;
};

describe("auto and gpu", () => {
  test("take a card", async () => {
    answers.webgpu = "card";
    expect([await choose("auto"), await choose("gpu")]).toEqual(["gpu:webgpu, a card", "gpu:webgpu, a card"]);
    expect(answers.opened).toEqual(["gpu:webgpu", "gpu:webgpu"]);
  });
  test("but not where threads or wide vectors are asked for", async () => {
    answers.webgpu = "card";
    expect(await choose("auto", { threads: 1 })).toBe("wasm, 1 thread");
    expect(await choose("auto", { wide: true })).toMatch(/^wasm/);
  });
  test("refuse software, unless it is named", async () => {
    answers.webgpu = "renderer";
    expect(await choose("auto")).toMatch(/^wasm/);
    expect((await tensor.gpuStatus("gpu")).works).toBe(false);
    expect(await choose("gpu:webgpu")).toBe("gpu:webgpu, a renderer");
    expect((await chooseDevice({ device: "gpu:webgpu", threads: null })).note).toContain("device=wasm is faster");
  });
  test("auto asks no driver where Linux lists no card", async () => {
    Object.assign(answers, { webgpu: "card", files: process.platform !== "linux" });
    expect(await choose("auto")).toMatch(process.platform === "linux" ? /^wasm/ : /^gpu:webgpu/);
  });
});
