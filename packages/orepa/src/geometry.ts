// Geometry: the arguments of the convolution that a block stands for, checked once.
import { OpError } from "@orepa/tensor";

/** Channels and window of a convolution. A block's merged kernel has shape [outChannels, inChannels / groups, k, k]. */
export interface Geometry {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

/** A geometry with defaults: 3x3, stride 1, and the padding that keeps the size at stride 1. */
export type GeometryOptions = Partial<Omit<Geometry, "inChannels" | "outChannels">>;

/**
 * Fills in defaults (padding = dilation * (k - 1) / 2) and checks.
 * @throws OpError for an even kernel, groups that do not divide the channels, or numbers that are not whole.
 */
export function geometry(
  op: string,
  inChannels: number,
  outChannels: number,
  {
    kernelSize = 3,
    stride = 1,
    dilation = 1,
    groups = 1,
    padding = dilation * Math.floor(kernelSize / 2),
  }: GeometryOptions,
): Geometry {
  const g = { inChannels, outChannels, kernelSize, stride, padding, dilation, groups };
  for (const name of ["inChannels", "outChannels", "kernelSize", "stride", "dilation", "groups"] as const)
    wholeNumber(op, name, g[name], 1);
  wholeNumber(op, "padding", padding, 0);
  if (kernelSize % 2 === 0)
    throw new OpError(op, "an odd kernelSize", `${kernelSize}`, "the 1x1 branches sit on the kernel's centre");
  for (const name of ["inChannels", "outChannels"] as const)
    if (g[name] % groups !== 0) throw new OpError(op, `groups that divide ${name} ${g[name]}`, `${groups} groups`);
  return g;
}

/** @throws OpError unless `value` is a whole number of at least `least`. */
export function wholeNumber(op: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new OpError(op, `${name} to be a whole number >= ${least}`, `${value}`);
}

/** @throws OpError for a 1x1 kernel. */
export function checkWindow(op: string, kernelSize: number): void {
  if (kernelSize === 1)
    throw new OpError(op, "a kernelSize of 3 or more", "1", "averages and frequencies need a window");
}

/** @throws OpError unless an inner width is a whole number that the groups divide. */
export function checkWidth(op: string, width: number, groups: number): void {
  wholeNumber(op, "internal", width, 1);
  if (width % groups !== 0) throw new OpError(op, `groups that divide the internal width ${width}`, `${groups} groups`);
}

/** Options of conv2d for a convolution over the whole window. */
export const windowOptions = ({ stride, padding, dilation, groups }: Geometry) => ({
  stride,
  padding,
  dilation,
  groups,
});
