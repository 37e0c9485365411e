// Safetensors: round trips, foreign dtypes, and what broken bytes say.
import { readFileSync } from "node:fs";
import { tensor, zeros } from "@orepa/tensor";
import { expect, test } from "vitest";
import { drawFixture } from "../testing/fixtures.ts";
import { readSafetensors, SafetensorsError, writeSafetensors } from "./safetensors.ts";

/** A file of one tensor from raw parts. */
function file(header: unknown, data: readonly number[]): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}
const one = (dtype: string, shape: readonly number[], data: readonly number[]) =>
  file({ x: { dtype, shape, data_offsets: [0, data.length] } }, data);

test("tensors of every dtype, empty and scalar ones too, and metadata survive a round trip in order", () => {
  const tensors = new Map([
    ["b", tensor([true, false, true])],
    [
      "f",
      tensor([
        [1.5, -2],
        [Number.POSITIVE_INFINITY, 1e-40],
      ]),
    ],
    ["d", tensor([Math.PI, -0], { dtype: "float64" })],
    ["i", tensor([-(2 ** 31), 7], { dtype: "int32" })],
    ["scalar", tensor(3)],
    ["empty", zeros([0, 4])],
  ]);
  const bytes = writeSafetensors(tensors, { format: "pt" });
  const back = readSafetensors(bytes);
  expect([...back.tensors.keys()]).toEqual([...tensors.keys()]);
  expect(back.metadata).toEqual({ format: "pt" });
  for (const [key, x] of tensors) {
    const y = back.tensors.get(key)!;
    expect([y.shape, y.dtype, y.toTypedArray()]).toEqual([x.shape, x.dtype, x.toTypedArray()]);
  }
});

test("the data starts at a multiple of 8 bytes, widest elements first, so that a reader may map it", () => {
  const bytes = writeSafetensors(
    new Map([
      ["b", tensor([true])],
      ["d", tensor([1], { dtype: "float64" })],
    ]),
  );
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  expect((8 + length) % 8).toBe(0);
  expect([header.d.data_offsets, header.b.data_offsets]).toEqual([
    [0, 8],
    [8, 9],
  ]);
});

test("bytes at an odd offset of a larger buffer are read", () => {
  const bytes = writeSafetensors(new Map([["x", tensor([1, 2])]]));
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(readSafetensors(shifted.subarray(3)).tensors.get("x")!.toArray()).toEqual([1, 2]);
});

test("half and brain floats become float32, 64-bit and byte integers int32", () => {
  const read = (bytes: Uint8Array) => readSafetensors(bytes).tensors.get("x")!;
  // 1, -2, 2^-24 (the smallest), 65504 (the largest), infinity
  const half = read(one("F16", [5], [0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b, 0, 0x7c]));
  expect([half.dtype, half.toArray()]).toEqual(["float32", [1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY]]);
  expect(read(one("F16", [1], [1, 0x7c])).item()).toBeNaN();
  expect(read(one("BF16", [2], [0x80, 0x3f, 0x49, 0xc0])).toArray()).toEqual([1, -3.140625]);
  const long = read(one("I64", [2], [1, 0, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255]));
  expect([long.dtype, long.toArray()]).toEqual(["int32", [1, -2]]);
  expect(read(one("U8", [2], [3, 255])).toArray()).toEqual([3, 255]);
  expect(() => read(one("I64", [1], [0, 0, 0, 0, 1, 0, 0, 0]))).toThrow(
    "expected I64 values within 32 bits, got 4294967296",
  );
});

test.each<[string, Uint8Array, string]>([
  ["too few bytes", new Uint8Array(3), "expected at least 8 bytes, got 3"],
  ["a zip archive", new Uint8Array([0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0]), "(not a safetensors file)"],
  ["a header that is cut", file({ x: 1 }, []).subarray(0, 12), "expected a header of 7 bytes, got 4 (truncated)"],
  ["a header that is no JSON", file("hello", []), "expected a JSON object as header, got hello"],
  ["a header that is a list", file([1], []), "expected a JSON object as header"],
  ["an entry without fields", file({ x: {} }, []), "x: expected dtype, shape and data_offsets, got {}"],
  ["an entry that is null", file({ x: null }, []), "x: expected dtype, shape and data_offsets, got null"],
  ["an unknown dtype", one("F8_E4M3", [1], [0]), "x: expected a dtype of F64, F32"],
  ["a shape that does not fit", one("F32", [2], [0, 0, 0, 0]), "x: expected 8 bytes for its shape, got 4"],
  ["data that is cut", one("F32", [1], [0, 0, 0, 0]).slice(0, -1), "x: expected data up to byte 4, got 3 (truncated)"],
  ["bytes after the end", file({}, [0]), "expected 0 bytes of data, got 1"],
])("%s is refused with a reason", (_, bytes, message) => {
  expect(() => readSafetensors(bytes)).toThrow(SafetensorsError);
  expect(() => readSafetensors(bytes)).toThrow(message);
});

test("the reference tensors are read: a drawn input has its drawn values", () => {
  const url = new URL("../../../../fixtures/layers.safetensors", import.meta.url);
  const { tensors } = readSafetensors(readFileSync(url));
  const key = [...tensors.keys()].find((name) => name.endsWith(".input.0"))!;
  const x = tensors.get(key)!;
  expect(x.toTypedArray()).toEqual(drawFixture(key.replace(".input.0", "/input.0"), x.shape, -1, 1));
});
