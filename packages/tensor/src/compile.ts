// compile: runs a function once on symbols, turns the list of equations into a program, and hands it to a device.
import { currentTrace } from "./bind.ts";
import { cpu } from "./devices/cpu/cpu.ts";
import type { Device, Executable, PlannedMemory } from "./devices/device.ts";
import { createGpu } from "./devices/gpu/device.ts";
import { type GpuName, gpuNames } from "./devices/gpu/names.ts";
import { createWasm } from "./devices/wasm/device.ts";
import { MemoryError, OpError } from "./errors.ts";
import { type Hoisted, hoist } from "./passes/hoist.ts";
import { optimize } from "./passes/optimize.ts";
import { printProgram } from "./passes/print.ts";
import type { Program } from "./passes/program.ts";
import { type Report, report } from "./passes/report.ts";
import { showShape } from "./shape.ts";
import { concrete, Tensor, type TensorSpec } from "./tensor.ts";
import { Trace } from "./trace.ts";

/** Made at first use, then shared by all programs. */
const once = (make: () => Device): (() => Device) => {
  let device: Device | undefined;
  return () => {
    device ??= make();
    return device;
  };
};
/** Devices by name. */
const devices = {
  cpu: () => cpu,
  wasm: once(createWasm),
  // one entry per name
  ...(Object.fromEntries(gpuNames.map((name) => [name, once(() => createGpu(name))])) as Record<GpuName, () => Device>),
} satisfies Record<string, () => Device>;
/** Where a program runs. */
export type DeviceName = keyof typeof devices;
/** A device's name, or a device with settings of its own. */
export type DeviceSpec = DeviceName | Device;
export const deviceNames = Object.keys(devices) as readonly DeviceName[];

/** The device of a name, or the device itself. @throws OpError if there is none of that name. */
function deviceOf(device: DeviceSpec): Device {
  if (typeof device !== "string") return device;
  if (!Object.hasOwn(devices, device)) throw new OpError("compile", `a device of ${deviceNames.join(", ")}`, device);
  return devices[device]();
}

/** What a compiled function may return. */
export type Result = Tensor | Readonly<Record<string, Tensor>>;

export interface CompileOptions {
  /** A name, or a device with settings of its own such as `createWasm({ threads: 1 })`. */
  readonly device?: DeviceSpec;
  /** Programs kept, one per signature; beyond, or where memory is short, the one unused for longest is dropped and compiled again when needed. */
  readonly maxPrograms?: number;
}

export interface Compiled<I extends readonly Tensor[], R extends Result> extends Disposable {
  (...inputs: I): Promise<R>;
  /**
   * Compiles and plans for inputs like these, or for inputs of these shapes, without a run; the next call finds it done.
   * Returns the memory that the program will take, where the device plans it.
   * @throws MemoryError if the device has no room for the program.
   */
  prepare(...inputs: { readonly [K in keyof I]: TensorSpec }): PlannedMemory | undefined;
  /** Cost of the program for inputs like these (by default, of the program used last). @throws OpError if there is none. */
  report(...inputs: I | []): Report;
  /** The program as text. */
  print(...inputs: I | []): string;
  /** Signatures compiled so far. */
  readonly signatures: readonly string[];
  /** Drops all programs. */
  dispose(): void;
}

interface Loaded<R extends Result> {
  readonly hoisted: Hoisted;
  readonly executable: Executable;
  readonly pack: (outputs: readonly Tensor[]) => R;
}
const defaultMaxPrograms = 32;

/**
 * Compiles a function of tensors. It is called once per signature (shapes and dtypes of the inputs) with symbols; what
 * else it reads from outside, numbers included, is frozen then: pass what changes as an input or a Variable.
 *
 * @example
 * const double = compile((x) => mul(x, 2));
 * (await double(tensor([1, 2]))).toArray(); // -> [2, 4]
 */
export function compile<I extends readonly Tensor[], R extends Result>(
  fn: (...inputs: I) => R,
  { device = "cpu", maxPrograms = defaultMaxPrograms }: CompileOptions = {},
): Compiled<I, R> {
  const target = deviceOf(device);
  const programs = new Map<string, Loaded<R>>();
  const key = (inputs: readonly TensorSpec[]) => inputs.map((t) => `${showShape(t.shape)} ${t.dtype}`).join("; ");

  const dropOldest = (): boolean => {
    for (const [oldest, { executable }] of programs) {
      executable.dispose();
      return programs.delete(oldest);
    }
    return false;
  };
  const load = (inputs: readonly TensorSpec[]): Loaded<R> => {
    const signature = key(inputs);
    const found = programs.get(signature) ?? build(fn, inputs, { device: target, makeRoom: dropOldest });
    programs.delete(signature);
    programs.set(signature, found);
    while (programs.size > maxPrograms) dropOldest();
    return found;
  };
  const find = (inputs: I | []): Loaded<R> => {
    const found = inputs.length ? programs.get(key(inputs)) : [...programs.values()].at(-1);
    if (!found) throw new OpError("report", "a program that has run", "none", "call the compiled function first");
    return found;
  };
  const dispose = (): void => {
    for (const { executable } of programs.values()) executable.dispose();
    programs.clear();
  };
  const requireOutside = (): void => {
    if (currentTrace())
      throw new OpError(
        "compile",
        "a call outside of other traces",
        "a call inside one",
        "call the plain function instead",
      );
  };
  const call = async (...inputs: I): Promise<R> => {
    requireOutside();
    const { executable, pack } = load(inputs);
    return pack(await executable.run(inputs.map((t) => concrete(t, "compile"))));
  };
  return Object.defineProperty(
    Object.assign(call, {
      prepare: (...inputs: readonly TensorSpec[]) => {
        requireOutside();
        return load(inputs).executable.memory;
      },
      report: (...inputs: I | []) => report(find(inputs).hoisted, find(inputs).executable),
      print: (...inputs: I | []) => printProgram(find(inputs).hoisted.program),
      dispose,
      [Symbol.dispose]: dispose,
    }),
    "signatures",
    { get: () => [...programs.keys()] },
  ) as Compiled<I, R>;
}

function build<I extends readonly Tensor[], R extends Result>(
  fn: (...inputs: I) => R,
  examples: readonly TensorSpec[],
  { device, makeRoom }: { device: Device; makeRoom: () => boolean },
): Loaded<R> {
  const { program, pack } = trace(fn, examples);
  const hoisted = hoist(optimize(program));
  for (;;)
    try {
      return { hoisted, executable: device.load(hoisted), pack };
    } catch (error) {
      if (!(error instanceof MemoryError && makeRoom())) throw error;
    }
}

/** Runs `fn` on symbols like the examples. */
export function trace<I extends readonly Tensor[], R extends Result>(
  fn: (...inputs: I) => R,
  examples: readonly TensorSpec[],
): { program: Program; pack: (outputs: readonly Tensor[]) => R } {
  const recording = new Trace();
  const inputs = examples.map((t) => new Tensor(t.shape, t.dtype, undefined, recording));
  // inputs mirrors examples one to one
  const result = recording.record(() => fn(...(inputs as unknown as I)));
  const single = result instanceof Tensor;
  const names = single ? [] : Object.keys(result);
  const variables = new Map(recording.reads);
  for (const variable of recording.writes.keys())
    if (!variables.has(variable))
      variables.set(variable, new Tensor(variable.shape, variable.dtype, undefined, recording));
  return {
    program: {
      inputs,
      variables,
      equations: recording.equations,
      outputs: single ? [result] : Object.values(result),
      updates: recording.writes,
    },
    // the same keys or the single tensor that fn returned
    pack: (outputs) => (single ? outputs[0] : Object.fromEntries(names.map((n, i) => [n, outputs[i]]))) as R,
  };
}
