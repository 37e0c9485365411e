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
    expect(lines[at]!.endsWith("(device=auto)")).toBe(name === auto);
    if (!works) expect(lines[at + 1]).toContain(`to have it: ${fix}`);
  }
});
