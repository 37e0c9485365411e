// Fused pointwise kernels on a feature map of 64 channels, as a training step runs them: the figures are elements a second.
import { add, fromData, mul, sigmoid, sub, sum, type Tensor } from "@orepa/tensor";
import {
  type Expression,
  FusedKernels,
  instantiateKernels,
  type PointwiseMachine,
  runPointwise,
  WebAssembly,
} from "@orepa/tensor/wasm";
import { medians } from "./time.ts";

export interface PointwiseRow {
  readonly name: string;
  /** Millions of elements a second of one thread. */
  readonly cpu: number;
  readonly fast: number;
}
const CHANNELS = 64;
const PIXELS = 12800;
const SIZE = CHANNELS * PIXELS;
const BLOCK = 128;
const UNITS = 16;
const ARGUMENTS = 1024;
/** Absolute, of values near 1: the polynomial's error, and roundings on both sides. */
const TOLERANCE = 1e-6;

interface Case {
  readonly expression: Expression;
  /** Which operands are one number per channel; the others are whole maps. */
  readonly channels: readonly number[];
  readonly cpu: (...operands: Tensor[]) => Tensor;
}
const operand = (i: number) => ({ operand: i });
const node = (i: number) => ({ node: i });
const operands = (n: number) => Array.from({ length: n }, () => "vector" as const);
const store = (value: { node: number } | { operand: number }) => [{ access: "vector" as const, value }];
const one = { constant: 1 };

/** z = x a + b and its sigmoid: nodes 0 to 2. */
const sigmoidOfNorm = [
  { name: "mul", args: [operand(0), operand(1)] },
  { name: "add", args: [node(0), operand(2)] },
  { name: "sigmoid", args: [node(1)] },
] as const;
const cases: Readonly<Record<string, Case>> = {
  copy: {
    expression: { operands: operands(1), scalars: 0, nodes: [], stores: store(operand(0)), sums: [] },
    channels: [],
    cpu: (x) => add(x, 0),
  },
  add: {
    expression: {
      ...{ operands: operands(2), scalars: 0, stores: store(node(0)), sums: [] },
      nodes: [{ name: "add", args: [operand(0), operand(1)] }],
    },
    channels: [],
    cpu: (x, y) => add(x, y),
  },
  // The norm's scale and shift, then SiLU.
  silu: {
    expression: {
      ...{ operands: operands(3), scalars: 0, stores: store(node(3)), sums: [] },
      nodes: [...sigmoidOfNorm, { name: "mul", args: [node(1), node(2)] }],
    },
    channels: [1, 2],
    cpu: (x, a, b) => {
      const z = add(mul(x, a), b);
      return mul(z, sigmoid(z));
    },
  },
  // dz = ct s (1 + z (1 - s)), with the sums of dz and dz x that the norm's gradient needs.
  "silu's gradient": {
    expression: {
      ...{ operands: operands(4), scalars: 0, stores: store(node(7)), sums: [node(7), node(8)] },
      nodes: [
        ...sigmoidOfNorm,
        { name: "sub", args: [one, node(2)] },
        { name: "mul", args: [node(1), node(3)] },
        { name: "add", args: [one, node(4)] },
        { name: "mul", args: [node(2), node(5)] },
        { name: "mul", args: [operand(3), node(6)] },
        { name: "mul", args: [node(7), operand(0)] },
      ],
    },
    channels: [1, 2],
    cpu: (x, a, b, ct) => {
      const z = add(mul(x, a), b);
      const s = sigmoid(z);
      const dz = mul(ct, mul(s, add(1, mul(z, sub(1, s)))));
      sum(dz, 0);
      sum(mul(dz, x), 0);
      return dz;
    },
  },
};

/** @throws Error if a result is further from the cpu's than `TOLERANCE`. */
export function benchPointwise(rounds: number): PointwiseRow[] {
  const library = new FusedKernels();
  const names = Object.entries(cases).map(([name, c]) => ({ name, c, kernel: library.nameOf(c.expression) }));
  const pages = Math.ceil((4 * 6 * SIZE) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: false });
  const module = new WebAssembly.Module(library.assemble({ shared: false }));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  const machine: PointwiseMachine = {
    ...{ floats: new Float32Array(memory.buffer), integers: new Int32Array(memory.buffer) },
    fused: exports as unknown as PointwiseMachine["fused"], // each takes the address of its arguments
    kernels: instantiateKernels(memory),
    ...{ args: 0, thread: 0, threads: 1 },
  };
  return names.map(({ name, c, kernel }) => measure(name, c, kernel, machine, rounds));
}

function measure(name: string, c: Case, kernel: string, machine: PointwiseMachine, rounds: number): PointwiseRow {
  const { expression, channels, cpu } = c;
  let top = ARGUMENTS;
  const allocate = (floats: number) => {
    const address = top;
    top += 4 * floats + 64;
    return address;
  };
  const values = expression.operands.map((_, i) =>
    new Float32Array(channels.includes(i) ? CHANNELS : SIZE).map((_, k) => Math.sin(k + i)),
  );
  const accesses = [...values, undefined].map((x) => {
    const address = allocate(x?.length ?? SIZE);
    if (x) machine.floats.set(x, address / 4);
    const pixel = x?.length === CHANNELS ? 0 : 4 * CHANNELS;
    return { address, strides: [0, pixel, 4] };
  });
  const sums = expression.sums.map(() => allocate(UNITS * CHANNELS));
  const step = {
    ...({ op: "pointwise", kernel, scalars: [], loops: [1, PIXELS, CHANNELS], accesses, sums } as const),
    ...{ units: UNITS, block: BLOCK },
  };
  const tensors = values.map((x) => fromData(x, [x.length / CHANNELS, CHANNELS]));
  const fast = () => runPointwise(step, machine);
  fast();
  const expected = cpu(...tensors).toTypedArray();
  const got = machine.floats.subarray(accesses.at(-1)!.address / 4);
  const wrong = expected.findIndex((y, i) => !(Math.abs(got[i]! - y) <= TOLERANCE));
  if (wrong >= 0) throw new Error(`${name}: expected ${expected[wrong]} at ${wrong}, got ${got[wrong]}`);
  const times = medians({ cpu: () => cpu(...tensors), fast }, rounds);
  const rate = (ms: number) => SIZE / ms / 1e3;
  return { name, cpu: rate(times.cpu), fast: rate(times.fast) };
}
