// The messages of an ONNX file that an exported program needs. Field numbers are those of onnx.proto.
import type { Dtype, Shape, TypedArray } from "@orepa/tensor";
import { type Bytes, bytes, float, integer, join } from "./protobuf.ts";

/** An attribute: a whole number, a list of them, or a text; `{ float }` for a real number. */
type Attribute = number | readonly number[] | string | { readonly float: number };
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}
/** A tensor with data; "int64" is for shapes and axes, which ONNX takes as tensors. */
export interface Initializer {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype | "int64";
  readonly data: TypedArray | BigInt64Array;
}
export interface Declared {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
}
export interface Graph {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Declared[];
  readonly outputs: readonly Declared[];
}

/** TensorProto.DataType */
export const dataTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
const IR_VERSION = 8;
/** Operator set 13: axes of sums, sizes of splits and shapes are inputs. */
const OPSET = 13;

/** ModelProto. */
export const model = ({ nodes, initializers, inputs, outputs }: Graph): Uint8Array =>
  join([
    ...integer(1, IR_VERSION),
    ...bytes(2, "orepa"),
    ...bytes(7, [
      ...nodes.flatMap((n) => bytes(1, node(n))),
      ...bytes(2, "program"),
      ...initializers.flatMap((t) => bytes(5, tensor(t))),
      ...inputs.flatMap((v) => bytes(11, valueInfo(v))),
      ...outputs.flatMap((v) => bytes(12, valueInfo(v))),
    ]),
    ...bytes(8, [...bytes(1, ""), ...integer(2, OPSET)]),
  ]);

/** NodeProto. */
const node = ({ op, inputs, outputs, attributes = {} }: Node): Bytes => [
  ...inputs.flatMap((name) => bytes(1, name)),
  ...outputs.flatMap((name) => bytes(2, name)),
  ...bytes(4, op),
  ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
];

/** AttributeProto; field 20 says which of the others is meant. */
function attribute(name: string, value: Attribute): Bytes {
  const head = bytes(1, name);
  if (typeof value === "number") return [...head, ...integer(3, value), ...integer(20, 2)];
  if (typeof value === "string") return [...head, ...bytes(4, value), ...integer(20, 3)];
  if ("float" in value) return [...head, ...float(2, value.float), ...integer(20, 1)];
  return [...head, ...value.flatMap((n) => integer(8, n)), ...integer(20, 7)];
}

/** TensorProto with its data as raw bytes, lowest byte first. */
const tensor = ({ name, shape, dtype, data }: Initializer): Bytes => [
  ...shape.flatMap((n) => integer(1, n)),
  ...integer(2, dataTypes[dtype]),
  ...bytes(8, name),
  ...bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
];

/** ValueInfoProto of a tensor with a known shape. */
const valueInfo = ({ name, shape, dtype }: Declared): Bytes => [
  ...bytes(1, name),
  ...bytes(
    2,
    bytes(1, [
      ...integer(1, dataTypes[dtype]),
      ...bytes(
        2,
        shape.flatMap((n) => bytes(1, integer(1, n))),
      ),
    ]),
  ),
];
