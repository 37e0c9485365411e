// orepa doctor: every device has a line, and those that do not work say what they lack.
import { deviceNames } from "@orepa/tensor";
import { expect, test } from "vitest";
import { EXIT, run } from "./run.ts";
import { captureIo } from "./testing.ts";

test("doctor tells of every device whether it works, and how to have it if not", async () => {
  const io = captureIo();
  expect(await run(["doctor", "json"], io)).toBe(EXIT.ok);
  const lines = io.output().trimEnd().split("\n");
  const { auto, devices } = JSON.parse(lines.at(-1)!);
  expect(Object.keys(devices)).toEqual(deviceNames);
  for (const name of ["cpu", "wasm", "gpu:webasm", "gpu:cpu"]) expect(devices[name]).toMatchObject({ works: true });
  for (const [name, { works, about, fix }] of Object.entries<{ works: boolean; about: string; fix?: string }>(
    devices,
  )) {
    const at = lines.findIndex((text) => text.startsWith(`${name} `));
    expect(lines[at]).toContain(works ? "works" : "absent");
    expect(lines[at]).toContain(about);
    if (!works) expect(lines[at + 1]).toContain(`to have it: ${fix}`);
  }
  expect(lines[1]).toBe(`without device= the commands compute on ${auto}`);
});

test("a device that is named and absent is one line that says what to add, before anything else is done", async () => {
  const io = captureIo();
  expect(await run(["train", "device=gpu:headlessgl", "epochs=1"], io)).toBe(EXIT.user);
  expect(io.errors()).toBe(
    "error: gpu:headlessgl: expected a gpu to compute on, got no package gl " +
      "(pnpm add -w gl@8.1.6 --allow-build=gl, which compiles for minutes)\n",
  );
  expect(io.output()).toBe("");
});
