// One layer's forward pass, input gradient and weight gradient: the cpu device's kernels, the plain WebAssembly loop and
// the fast WebAssembly kernels, checked for equality on dyadic data and then timed in turns.
import { bind, type ConvParams, fromData, sizeOf, type Tensor } from "@orepa/tensor";
import { type Launch, type Runtime, runConv, runConvInput, runConvWeight } from "@orepa/tensor/wasm";
import { type Layer, layerName } from "./layers.ts";
import { LIMIT_FLOP, runLimit } from "./limit.ts";
import { medians } from "./time.ts";

export interface Row {
  readonly layer: string;
  readonly pass: Pass;
  readonly path: Launch["path"];
  readonly gflop: number;
  /** GFLOP/s of one thread: the three candidates, and the multiply-add limit measured between them. */
  readonly cpu: number;
  readonly naive: number;
  readonly fast: number;
  readonly limit: number;
}
type Pass = "forward" | "input" | "weight";
const launches = { forward: runConv, input: runConvInput, weight: runConvWeight } as const;

/** Quarters from -2 to 2: sums of their products have no rounding, so every order gives the same result. */
const dyadic = (n: number, seed: number) =>
  new Float32Array(n).map((_, i) => ((Math.imul(i + seed, 2654435761) >>> 16) % 17) / 4 - 2);

function problem({ from, to, kernel, stride, depthwise }: Layer, side: number, N: number) {
  const padding = kernel >> 1;
  const out = Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const [x, w, y] = [
    [N, from, side, side],
    [to, depthwise ? 1 : from, kernel, kernel],
    [N, to, out, out],
  ] as const;
  const pair = (n: number) => [n, n] as const;
  const params: ConvParams = {
    ...{ stride: pair(stride), padding: pair(padding), dilation: pair(1), groups: depthwise ? from : 1 },
  };
  const g = { N, C: from, H: side, W: side, O: to, kh: kernel, kw: kernel, Ho: out, Wo: out, ...params };
  const tensors = {
    x: fromData(dyadic(sizeOf(x), 1), x),
    w: fromData(dyadic(sizeOf(w), 2), w),
    y: fromData(dyadic(sizeOf(y), 3), y),
  };
  return { g, params, tensors, gflop: (2 * sizeOf(y) * sizeOf(w)) / to / 1e9 };
}

/** The cpu device's kernels on the same operands. */
function cpu(pass: Pass, { params, tensors: { x, w, y } }: ReturnType<typeof problem>): () => Tensor {
  const into = (shape: Tensor["shape"]) => ({ ...params, shape });
  return () => {
    if (pass === "forward") return bind("conv2d", [x, w], params)[0]!;
    if (pass === "input") return bind("convInput", [y, w], into(x.shape))[0]!;
    return bind("convWeight", [x, y], into(w.shape))[0]!;
  };
}

/** A launch with its operands in place, checked against the cpu. @throws Error at the first element that differs. */
function checked(runtime: Runtime, pass: Pass, p: ReturnType<typeof problem>, naive: boolean, name: string): Launch {
  const { x, w, y } = p.tensors;
  const [a, b] = { forward: [x, w], input: [y, w], weight: [x, y] }[pass] as [Tensor, Tensor];
  const launch = launches[pass](runtime, p.g, { naive });
  launch.write(a.toTypedArray() as Float32Array, b.toTypedArray() as Float32Array); // made of Float32Arrays
  launch.run();
  const expected = cpu(pass, p)().toTypedArray();
  const got = new Float32Array(expected.length);
  launch.read(got);
  const wrong = got.findIndex((v, i) => v !== expected[i]);
  if (wrong >= 0)
    throw new Error(`${name} ${pass} ${launch.path}: expected ${expected[wrong]} at ${wrong}, got ${got[wrong]}`);
  return launch;
}

/** Measures one layer at a picture's side. The plain loop takes one image, the others the whole batch. */
export function benchLayer(
  runtime: Runtime,
  layer: Layer,
  options: { image: number; batch: number; rounds: number },
): Row[] {
  const side = Math.ceil(options.image / layer.reduction);
  const name = layerName(layer, side);
  const [whole, single] = [problem(layer, side, options.batch), problem(layer, side, 1)];
  const passes: Pass[] = layer.first ? ["forward", "weight"] : ["forward", "input", "weight"];
  return passes.map((pass) => {
    runtime.reset();
    const naive = checked(runtime, pass, single, true, name);
    const fast = checked(runtime, pass, whole, false, name);
    const times = medians({ cpu: cpu(pass, whole), naive: naive.run, fast: fast.run, limit: runLimit }, options.rounds);
    const rate = (gflop: number, ms: number) => (gflop / ms) * 1e3;
    return {
      ...{ layer: name, pass, path: fast.path, gflop: whole.gflop },
      cpu: rate(whole.gflop, times.cpu),
      naive: rate(single.gflop, times.naive),
      fast: rate(whole.gflop, times.fast),
      limit: rate(LIMIT_FLOP / 1e9, times.limit),
    };
  });
}
