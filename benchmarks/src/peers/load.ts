// Loads an engine from the folder of peers, with the few of its types that are used here.
import { createRequire } from "node:module";

/** The folder with its own package.json. */
export const peersFolder = new URL("../../peers/", import.meta.url);
const require = createRequire(new URL("package.json", peersFolder));

/** Where a module of a peer lies. @throws Error that says how to install them. */
export function resolvePeer(name: string): string {
  try {
    return require.resolve(name);
  } catch {
    throw new Error(
      `${name}: expected it in ${peersFolder.pathname}, found none (pnpm --filter benchmarks run peers:install)`,
    );
  }
}
/** A peer's exports. The caller knows their type. */
export const loadPeer = <T>(name: string): T => require(resolvePeer(name)) as T;

interface OnnxTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
export interface OnnxRuntime {
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OnnxTensor;
  readonly env: { readonly versions: { readonly common: string }; readonly wasm: { numThreads: number } };
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: {
        executionProviders: readonly string[];
        graphOptimizationLevel: "all";
        intraOpNumThreads?: number;
        interOpNumThreads?: number;
      },
    ): Promise<OnnxSession>;
  };
}
interface OnnxSession {
  run(inputs: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>>;
  release(): Promise<void>;
}

interface TfjsTensor {
  dataSync(): Float32Array;
  dispose(): void;
}
/** Images are [N, H, W, C], kernels [k, k, C, O]. */
export interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(values: Float32Array, shape: readonly number[]): TfjsTensor;
  conv2d(x: TfjsTensor, w: TfjsTensor, stride: number, padding: number): TfjsTensor;
}

/** An array; a function uses it up unless it is given `ref`. */
interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  mul(other: JaxArray): JaxArray;
  sum(): JaxArray;
  data(): Promise<Float32Array>;
}
type JaxFunction = (...arrays: JaxArray[]) => JaxArray;
export interface Jax {
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): void;
  readonly numpy: { array(values: Float32Array): JaxArray };
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      w: JaxArray,
      stride: readonly number[],
      padding: readonly (readonly number[])[],
    ): JaxArray;
  };
  jit(fn: (first: JaxArray, second: JaxArray, third: JaxArray) => JaxArray): JaxFunction;
  grad(fn: (first: JaxArray, second: JaxArray, third: JaxArray) => JaxArray): JaxFunction;
}
