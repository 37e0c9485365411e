// Element types and the typed arrays that hold them.

/** Element type of a tensor. `bool` is stored as bytes 0 and 1. */
export type Dtype = "float32" | "float64" | "int32" | "bool";
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, bool: Uint8Array } as const;

/** Makes an array for a kernel to fill: what it holds before is undefined. */
export type Allocate = (dtype: Dtype, length: number) => TypedArray;

/** Zeros of a dtype. */
export const allocate = (dtype: Dtype, length: number): TypedArray => new arrays[dtype](length);
/** Bytes of one element. */
export const bytesOf = (dtype: Dtype): number => arrays[dtype].BYTES_PER_ELEMENT;
export const isFloating = (dtype: Dtype): boolean => dtype === "float32" || dtype === "float64";

export function dtypeOf(data: TypedArray): Dtype {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  return data instanceof Int32Array ? "int32" : "bool";
}

const rank: Record<Dtype, number> = { bool: 0, int32: 1, float32: 2, float64: 3 };
/** The dtype that two operands meet in: bool < int32 < float32 < float64. */
export const promote = (a: Dtype, b: Dtype): Dtype => (rank[a] >= rank[b] ? a : b);
