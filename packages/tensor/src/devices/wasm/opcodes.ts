// The one table of instructions the assembler knows: name -> bytes, operand types, result type. A name that is not
// here, or an operand of another type, does not compile. Numbers: WebAssembly specification, index of instructions.
import { unsigned } from "./encoding.ts";

export type ValueType = "i32" | "f32" | "f64" | "v128";
/** Types that a function can exchange with JavaScript. */
export type NumberType = Exclude<ValueType, "v128">;
export const typeCodes = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const satisfies Record<ValueType, number>;

interface Instruction<P extends readonly ValueType[], R extends ValueType> {
  readonly code: readonly number[];
  readonly params: P;
  readonly result: R;
}
const family =
  (encode: (n: number) => readonly number[]) =>
  <const P extends readonly ValueType[], R extends ValueType, N extends string>(
    params: P,
    result: R,
    codes: Record<N, number>,
  ) =>
    Object.fromEntries(
      Object.entries<number>(codes).map(([name, n]) => [name, { code: encode(n), params, result }]),
    ) as unknown as Record<N, Instruction<P, R>>; // Object.fromEntries forgets the names
const plain = family((n) => [n]);
const simd = family((n) => [0xfd, ...unsigned(n)]);
const lanes = family((n) => [0xfd, 33, n]);

export const instructions = {
  ...plain(["i32"], "i32", { "i32.eqz": 0x45 }),
  ...plain(["i32", "i32"], "i32", { "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49 }),
  ...plain(["i32", "i32"], "i32", { "i32.gt_s": 0x4a, "i32.gt_u": 0x4b, "i32.le_s": 0x4c, "i32.le_u": 0x4d }),
  ...plain(["i32", "i32"], "i32", { "i32.ge_s": 0x4e, "i32.ge_u": 0x4f, "i32.add": 0x6a, "i32.sub": 0x6b }),
  ...plain(["i32", "i32"], "i32", { "i32.mul": 0x6c, "i32.div_s": 0x6d, "i32.div_u": 0x6e, "i32.rem_s": 0x6f }),
  ...plain(["i32", "i32"], "i32", { "i32.rem_u": 0x70, "i32.and": 0x71, "i32.or": 0x72, "i32.xor": 0x73 }),
  ...plain(["i32", "i32"], "i32", { "i32.shl": 0x74, "i32.shr_s": 0x75, "i32.shr_u": 0x76 }),
  ...plain(["f32", "f32"], "i32", { "f32.eq": 0x5b, "f32.ne": 0x5c, "f32.lt": 0x5d, "f32.gt": 0x5e, "f32.le": 0x5f }),
  ...plain(["f32", "f32"], "i32", { "f32.ge": 0x60 }),
  ...plain(["f32"], "f32", { "f32.abs": 0x8b, "f32.neg": 0x8c, "f32.nearest": 0x90, "f32.sqrt": 0x91 }),
  ...plain(["f32", "f32"], "f32", { "f32.add": 0x92, "f32.sub": 0x93, "f32.mul": 0x94, "f32.div": 0x95 }),
  ...plain(["f32", "f32"], "f32", { "f32.min": 0x96, "f32.max": 0x97 }),
  ...plain(["f64", "f64"], "i32", { "f64.eq": 0x61, "f64.ne": 0x62, "f64.lt": 0x63, "f64.gt": 0x64, "f64.le": 0x65 }),
  ...plain(["f64", "f64"], "i32", { "f64.ge": 0x66 }),
  ...plain(["f64"], "f64", { "f64.abs": 0x99, "f64.neg": 0x9a, "f64.nearest": 0x9e, "f64.sqrt": 0x9f }),
  ...plain(["f64", "f64"], "f64", { "f64.add": 0xa0, "f64.sub": 0xa1, "f64.mul": 0xa2, "f64.div": 0xa3 }),
  ...plain(["f64", "f64"], "f64", { "f64.min": 0xa4, "f64.max": 0xa5 }),
  ...plain(["f32"], "f64", { "f64.promote_f32": 0xbb }),
  ...plain(["f64"], "f32", { "f32.demote_f64": 0xb6 }),
  ...plain(["i32"], "f32", { "f32.convert_i32_s": 0xb2, "f32.reinterpret_i32": 0xbe }),
  ...plain(["i32"], "f64", { "f64.convert_i32_s": 0xb7 }),
  ...plain(["f32"], "i32", { "i32.reinterpret_f32": 0xbc }),
  ...simd(["i32"], "v128", { "i32x4.splat": 17 }),
  ...simd(["f32"], "v128", { "f32x4.splat": 19 }),
  ...simd(["f64"], "v128", { "f64x2.splat": 20 }),
  ...simd(["v128", "v128"], "v128", { "f32x4.eq": 65, "f32x4.ne": 66, "f32x4.lt": 67, "f32x4.gt": 68 }),
  ...simd(["v128", "v128"], "v128", { "f32x4.le": 69, "f32x4.ge": 70 }),
  ...simd(["v128"], "v128", { "v128.not": 77, "f32x4.abs": 224, "f32x4.neg": 225, "f32x4.sqrt": 227 }),
  ...simd(["v128"], "v128", { "f32x4.trunc": 105, "f32x4.convert_i32x4_s": 250 }),
  ...simd(["v128", "v128"], "v128", { "v128.and": 78, "v128.andnot": 79, "v128.or": 80, "v128.xor": 81 }),
  ...simd(["v128", "v128", "v128"], "v128", { "v128.bitselect": 82 }),
  ...simd(["v128", "i32"], "v128", { "i32x4.shl": 171, "i32x4.shr_s": 172, "i32x4.shr_u": 173 }),
  ...simd(["v128", "v128"], "v128", { "i32x4.add": 174, "i32x4.sub": 177, "i32x4.mul": 181 }),
  ...simd(["v128", "v128"], "v128", { "f32x4.add": 228, "f32x4.sub": 229, "f32x4.mul": 230, "f32x4.div": 231 }),
  // min and max follow the NaN rules of IEEE 754, six instructions in V8; pmin and pmax are one compare and select.
  ...simd(["v128", "v128"], "v128", { "f32x4.min": 232, "f32x4.max": 233, "f32x4.pmin": 234, "f32x4.pmax": 235 }),
  ...simd(["v128", "v128"], "v128", { "f64x2.add": 240, "f64x2.sub": 241, "f64x2.mul": 242, "f64x2.div": 243 }),
  ...simd(["v128", "v128"], "v128", { "f64x2.min": 244, "f64x2.max": 245, "f64x2.eq": 71 }),
  ...simd(["v128"], "v128", { "f64x2.promote_low_f32x4": 95 }),
  ...lanes(["v128"], "f64", { "f64x2.extract_lane_0": 0, "f64x2.extract_lane_1": 1 }),
};

interface Access<T extends ValueType> {
  readonly code: readonly number[];
  /** log2 of the natural alignment: a hint, any address works. */
  readonly align: number;
  readonly type: T;
}
const access = <T extends ValueType>(code: readonly number[], align: number, type: T): Access<T> => ({
  ...{ code, align, type },
});
export const loads = {
  "i32.load": access([0x28], 2, "i32"),
  "f32.load": access([0x2a], 2, "f32"),
  "f64.load": access([0x2b], 3, "f64"),
  "v128.load": access([0xfd, 0], 4, "v128"),
  "v128.load32_splat": access([0xfd, 9], 2, "v128"),
  "v128.load64_zero": access([0xfd, 93], 3, "v128"),
  "v128.load32_zero": access([0xfd, 92], 2, "v128"),
};
export const stores = {
  "i32.store": access([0x36], 2, "i32"),
  "f32.store": access([0x38], 2, "f32"),
  "f64.store": access([0x39], 3, "f64"),
  "v128.store": access([0xfd, 11], 4, "v128"),
};

type Instructions = typeof instructions;
export type OpName = keyof Instructions;
export type ParamsOf<N extends OpName> = Instructions[N]["params"];
export type ResultOf<N extends OpName> = Instructions[N]["result"];
export type LoadName = keyof typeof loads;
export type Loaded<N extends LoadName> = (typeof loads)[N]["type"];
export type StoreName = keyof typeof stores;
export type Stored<N extends StoreName> = (typeof stores)[N]["type"];
