// Winograd's convolutions as steps: the transform of weights, the convolution (or input gradient), the weight gradient.
import { type WinogradConv, winogradConv, winogradPack } from "../winograd/conv.ts";
import { type WinogradConvWeight, winogradConvWeight } from "../winograd/conv-weight.ts";
import type { Machine } from "./machine.ts";

export interface WinogradPackStep {
  readonly op: "winogradPack";
  readonly pack: Parameters<typeof winogradPack>[1];
}
export interface WinogradConvStep {
  readonly op: "winogradConv";
  readonly conv: WinogradConv;
}
export interface WinogradConvWeightStep {
  readonly op: "winogradConvWeight";
  readonly conv: WinogradConvWeight;
}

export const runWinogradPack = ({ pack }: WinogradPackStep, machine: Machine): void =>
  winogradPack(machine.kernels, pack, machine);
export const runWinogradConv = ({ conv }: WinogradConvStep, machine: Machine): void =>
  winogradConv(machine.kernels, conv, machine);
export const runWinogradConvWeight = ({ conv }: WinogradConvWeightStep, machine: Machine): void =>
  winogradConvWeight(machine.kernels, conv, machine);
