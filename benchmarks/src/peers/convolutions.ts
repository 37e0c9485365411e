// Single convolutions as they occur in YOLO11n, ours beside engines that cannot run or train the whole network: tfjs (cpu and
// wasm backends) and jax-js (wasm). Forward everywhere; the weight gradient where an engine has one. Results are compared
// before anything is timed; all read their result back.
import { pathToFileURL } from "node:url";
import { grad } from "@orepa/autograd";
import { compile, conv2d, fromData, mul, permute, sum, type Tensor } from "@orepa/tensor";
import { openLimit } from "@orepa/tensor/wasm";
import { type Layer, layerName, layers } from "../layers.ts";
import { machine } from "../machine.ts";
import { type Contestant, rounds, timed } from "../rounds.ts";
import { table } from "../table.ts";
import { readOptions } from "./compete.ts";
import { type Jax, loadPeer, resolvePeer, type Tfjs } from "./load.ts";

const options = readOptions();
const { own, imgsz, batch, count } = options;
if (options.wide) throw new Error("--wide: expected in the comparisons of inference and training, got it here");

/** Dense ones only, and small enough for engines of plain loops. */
const chosen = layers.filter(({ depthwise, first }) => !depthwise && !first);
/** Values are small whole numbers divided by 16: sums of their products are exact in float32, but engines may transform. */
const TOLERANCE = 1e-3;

interface Problem {
  readonly name: string;
  readonly layer: Layer;
  readonly x: Tensor;
  readonly w: Tensor;
  readonly ct: Tensor;
  readonly gflop: number;
}
interface Engine {
  readonly name: string;
  /** What the two passes give, as [N, O, H, W] and [O, C, k, k]; null for a pass it does not have. */
  readonly forward: (p: Problem) => Promise<Run>;
  readonly weight: ((p: Problem) => Promise<Run>) | null;
}
/** Runs once and gives the result to be checked; layouts may differ until `read` puts them right. */
interface Run {
  readonly run: () => Promise<unknown>;
  readonly read: () => Promise<ArrayLike<number>>;
}

function problem(layer: Layer): Problem {
  const side = Math.ceil(imgsz / layer.reduction);
  const out = side / layer.stride;
  const values = (shape: readonly number[], seed: number) =>
    fromData(
      new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => (((i + seed) * 7919) % 31) / 16 - 1),
      shape,
    );
  const { from, to, kernel } = layer;
  return {
    ...{ name: layerName(layer, side), layer, x: values([batch, from, side, side], 1) },
    ...{ w: values([to, from, kernel, kernel], 2), ct: values([batch, to, out, out], 3) },
    gflop: (2 * batch * to * out * out * from * kernel * kernel) / 1e9,
  };
}

const convOf = ({ kernel, stride }: Layer) => ({ stride, padding: kernel >> 1 });
const floats = (t: Tensor): Float32Array => t.toTypedArray() as Float32Array; // all are float32

const ours: Engine = {
  name: `orepa (${own.label})`,
  forward: async ({ layer, x, w }) => {
    const f = compile((a: Tensor, b: Tensor) => conv2d(a, b, convOf(layer)), { device: own.device });
    return { run: () => f(x, w), read: async () => floats(await f(x, w)) };
  },
  weight: async ({ layer, x, w, ct }) => {
    const f = compile(
      (a: Tensor, b: Tensor, c: Tensor) => grad(() => sum(mul(conv2d(a, b, convOf(layer)), c)), [b]).get(b)!,
      { device: own.device },
    );
    return { run: () => f(x, w, ct), read: async () => floats(await f(x, w, ct)) };
  },
};

/** One backend of tfjs. Its weight gradient exists on the cpu backend alone, and there it does not end. */
async function tfjs(backend: "cpu" | "wasm"): Promise<Engine> {
  const tf = loadPeer<Tfjs>("@tensorflow/tfjs");
  loadPeer(`@tensorflow/tfjs-backend-${backend}`);
  return {
    name: `tfjs ${backend}`,
    forward: async ({ layer, x, w, ct }) => {
      await tf.setBackend(backend);
      await tf.ready();
      const image = tf.tensor(
        floats(permuted(x, [0, 2, 3, 1])),
        [0, 2, 3, 1].map((axis) => x.shape[axis]!),
      );
      const kernel = tf.tensor(
        floats(permuted(w, [2, 3, 1, 0])),
        [2, 3, 1, 0].map((axis) => w.shape[axis]!),
      );
      const run = async () => {
        await tf.setBackend(backend);
        const y = tf.conv2d(image, kernel, layer.stride, layer.kernel >> 1);
        const data = y.dataSync();
        y.dispose();
        return data;
      };
      const [N, O, H, W] = ct.shape as [number, number, number, number];
      return { run, read: async () => floats(permuted(fromData(await run(), [N, H, W, O]), [0, 3, 1, 2])) };
    },
    weight: null,
  };
}
/** A copy in another order of axes. */
const permuted = (t: Tensor, order: readonly number[]): Tensor => permute(t, order);

async function jax(): Promise<Engine> {
  const file = resolvePeer("@jax-js/jax").replace(/\.cjs$/, ".js");
  const { init, defaultDevice, numpy, lax, jit, grad: jaxGrad } = (await import(pathToFileURL(file).href)) as Jax;
  await init("wasm");
  defaultDevice("wasm");
  const array = (t: Tensor) => numpy.array(floats(t)).reshape(t.shape);
  return {
    name: "jax-js wasm",
    forward: async ({ layer, x, w }) => {
      const { stride, padding: p } = convOf(layer);
      const [a, b] = [array(x), array(w)];
      const f = jit((u, v) =>
        lax.convGeneralDilated(
          u,
          v,
          [stride, stride],
          [
            [p, p],
            [p, p],
          ],
        ),
      );
      const run = () => f(a.ref, b.ref).data();
      return { run, read: run };
    },
    weight: async ({ layer, x, w, ct }) => {
      const { stride, padding: p } = convOf(layer);
      const [a, b, c] = [array(x), array(w), array(ct)];
      const f = jit(
        jaxGrad((v, u, t) =>
          lax
            .convGeneralDilated(
              u,
              v,
              [stride, stride],
              [
                [p, p],
                [p, p],
              ],
            )
            .mul(t)
            .sum(),
        ),
      );
      const run = () => f(b.ref, a.ref, c.ref).data();
      return { run, read: run };
    },
  };
}

/** @throws Error if the results differ by more than the tolerance, relative to the largest value. */
async function check(what: string, run: Run, expected: Float32Array): Promise<void> {
  const got = await run.read();
  const scale = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const wrong = expected.findIndex((v, i) => !(Math.abs(v - got[i]!) <= TOLERANCE * scale));
  if (wrong >= 0) throw new Error(`${what}: expected ${expected[wrong]} at ${wrong}, got ${got[wrong]}`);
}

const engines = [ours, await tfjs("wasm"), await tfjs("cpu"), await jax()];
const limit = await openLimit(1);
const before = machine();
console.log(`${imgsz} px, batch ${batch}, the others on one thread; median of ${count}; GFLOP/s:`);
const print = table(["layer", "pass", ...engines.map(({ name }) => name), "limit 1T"], [24, 8, 23, 11, 11, 11, 8]);
const rows: object[] = [];
for (const layer of chosen)
  for (const pass of ["forward", "weight"] as const) {
    const p = problem(layer);
    const contestants: Record<string, Contestant> = {};
    let expected: Float32Array | undefined;
    for (const engine of engines) {
      const run = await engine[pass]?.(p);
      if (!run) continue;
      expected ??= Float32Array.from(await run.read());
      await check(`${p.name} ${pass} ${engine.name}`, run, expected);
      contestants[engine.name] = timed(run.run);
    }
    const limitRate = await limit.measure();
    const timings = await rounds(contestants, count);
    const rates = engines.map(({ name }) => (timings[name] ? (p.gflop / timings[name].ms) * 1e3 : null));
    print([p.name, pass, ...rates.map((rate) => rate?.toFixed(1) ?? "-"), limitRate.toFixed(1)]);
    rows.push({ layer: p.name, pass, gflop: p.gflop, limit_gflops: limitRate, timings });
  }
await limit.close();
if (options.json)
  console.log(
    JSON.stringify({
      machine: before,
      loadAfter: machine().load,
      device: own.label,
      imgsz,
      batch,
      rounds: count,
      rows,
    }),
  );
process.exit(0); // threads of the peers stay behind
