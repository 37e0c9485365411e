// The gradients of the device in float32 against differences of the loss in float64: one slope a parameter, along a random
// direction.
import { namedParameters, valueAndGrad } from "@orepa/autograd";
import { add, cast, compile, type DeviceName, Generator, mul, randn, type Tensor } from "@orepa/tensor";
import { drawDigits } from "./digits.ts";
import { copyNet, crossEntropy, type DigitNet } from "./net.ts";

export interface Slope {
  readonly parameter: string;
  readonly device: number;
  readonly differences: number;
  /** Of the two, as part of the length of the parameter's gradient. */
  readonly deviation: number;
}
/** float32 through some hundred sums; differences in float64 are closer. */
export const TOLERANCE = 1e-3;
/** Gradients shorter than this part of the whole one are measured against the whole one. */
const FLOOR = 1e-3;
const PICTURES = 8;
const STEP = 1e-5;

/** `onSlope` is called between parameters, for the page to draw. */
export async function checkGradients(
  net: DigitNet,
  device: DeviceName,
  onSlope: (slope: Slope) => Promise<void>,
): Promise<void> {
  const digits = drawDigits(PICTURES, new Generator("digits to differentiate at"));
  const gradients = await gradientsOn(copyNet(net), device, digits);
  const exact = copyNet(net, "float64");
  const pictures = cast(digits.pictures, "float64");
  const truth = cast(digits.truth, "float64");
  const loss = (): number => crossEntropy(exact, { pictures, truth }).item();

  const whole = Math.hypot(...[...gradients.values()].map(length));
  const generator = new Generator("directions");
  for (const [parameter, variable] of namedParameters(exact)) {
    const direction = randn(variable.shape, { generator, dtype: "float64" });
    const unit = mul(direction, 1 / length(direction));
    const start = variable.value;
    const at = (distance: number): number => {
      variable.assign(add(start, mul(unit, distance)));
      return loss();
    };
    const differences = (at(STEP) - at(-STEP)) / (2 * STEP);
    variable.assign(start);
    const gradient = gradients.get(parameter)!;
    const slope = dot(gradient, unit);
    const deviation = Math.abs(slope - differences) / Math.max(length(gradient), FLOOR * whole);
    await onSlope({ parameter, device: slope, differences, deviation });
  }
}

/** The gradients of the loss by the names of the parameters. */
async function gradientsOn(
  net: DigitNet,
  device: DeviceName,
  { pictures, truth }: { readonly pictures: Tensor; readonly truth: Tensor },
): Promise<Map<string, Tensor>> {
  const variables = namedParameters(net);
  using program = compile(
    (x: Tensor, y: Tensor) => {
      const { grads } = valueAndGrad(() => crossEntropy(net, { pictures: x, truth: y }), variables.values());
      return Object.fromEntries([...variables].map(([key, v]) => [key, grads.get(v)!]));
    },
    { device },
  );
  return new Map(Object.entries(await program(pictures, truth)));
}

const numbers = (t: Tensor): number[] => Array.from(t.toTypedArray());
const length = (t: Tensor): number => Math.hypot(...numbers(t));
const dot = (a: Tensor, b: Tensor): number => {
  const y = numbers(b);
  return numbers(a).reduce((sum, value, i) => sum + value * y[i]!, 0);
};
