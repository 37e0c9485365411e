// One row per layer: what the tests check every nn layer on (gradients in float64 in both modes, shapes, state dict keys).
import { type Dtype, Generator, rand, type Shape, type Tensor } from "@orepa/tensor";
import { GELU, Hardswish, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh } from "./activations.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import { Conv2d, ConvTranspose2d } from "./conv.ts";
import { Dropout } from "./dropout.ts";
import { Linear } from "./linear.ts";
import type { Module } from "./module.ts";
import { AvgPool2d, Flatten, MaxPool2d, Upsample } from "./pooling.ts";

/** A layer, made anew at every call, with the shapes it maps between and its state dict keys. */
export interface LayerCase {
  readonly make: () => Module;
  readonly input: Shape;
  readonly output: Shape;
  readonly keys: readonly string[];
}

const norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
const both = ["weight", "bias"];

export const layerCases: Readonly<Record<string, LayerCase>> = {
  conv: { make: () => new Conv2d(3, 4, 3, { padding: 1 }), input: [2, 3, 4, 5], output: [2, 4, 4, 5], keys: both },
  "conv, all options": {
    make: () => new Conv2d(4, 6, [3, 2], { stride: [2, 1], padding: [1, 2], dilation: [2, 1], groups: 2, bias: false }),
    input: [1, 4, 7, 5],
    output: [1, 6, 3, 8],
    keys: ["weight"],
  },
  "conv, depthwise": {
    make: () => new Conv2d(3, 3, 3, { groups: 3 }),
    input: [2, 3, 4, 4],
    output: [2, 3, 2, 2],
    keys: both,
  },
  "transposed conv": {
    make: () => new ConvTranspose2d(3, 2, 2, { stride: 2 }),
    input: [2, 3, 3, 2],
    output: [2, 2, 6, 4],
    keys: both,
  },
  "transposed conv, all options": {
    make: () => new ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2, bias: false }),
    input: [1, 4, 3, 3],
    output: [1, 6, 6, 6],
    keys: ["weight"],
  },
  linear: { make: () => new Linear(5, 3), input: [2, 4, 5], output: [2, 4, 3], keys: both },
  "linear, no bias": { make: () => new Linear(5, 3, { bias: false }), input: [2, 5], output: [2, 3], keys: ["weight"] },
  "batch norm": { make: () => new BatchNorm2d(3), input: [2, 3, 3, 2], output: [2, 3, 3, 2], keys: norm },
  silu: { make: () => new SiLU(), input: [7], output: [7], keys: [] },
  relu: { make: () => new ReLU(), input: [7], output: [7], keys: [] },
  "leaky relu": { make: () => new LeakyReLU(0.1), input: [7], output: [7], keys: [] },
  sigmoid: { make: () => new Sigmoid(), input: [7], output: [7], keys: [] },
  tanh: { make: () => new Tanh(), input: [7], output: [7], keys: [] },
  hardswish: { make: () => new Hardswish(), input: [7], output: [7], keys: [] },
  gelu: { make: () => new GELU(), input: [7], output: [7], keys: [] },
  softmax: { make: () => new Softmax(1), input: [2, 4, 3], output: [2, 4, 3], keys: [] },
  identity: { make: () => new Identity(), input: [7], output: [7], keys: [] },
  "max pool": {
    make: () => new MaxPool2d(3, { stride: 1, padding: 1 }),
    input: [2, 2, 4, 3],
    output: [2, 2, 4, 3],
    keys: [],
  },
  "average pool": { make: () => new AvgPool2d(2), input: [2, 2, 4, 6], output: [2, 2, 2, 3], keys: [] },
  "average pool, overlapping": {
    make: () => new AvgPool2d(3, { stride: 2, padding: 1 }),
    input: [1, 2, 5, 4],
    output: [1, 2, 3, 2],
    keys: [],
  },
  "upsample, nearest": { make: () => new Upsample(2), input: [2, 2, 2, 3], output: [2, 2, 4, 6], keys: [] },
  "upsample, bilinear": {
    make: () => new Upsample(3, "bilinear"),
    input: [1, 2, 2, 3],
    output: [1, 2, 6, 9],
    keys: [],
  },
  flatten: { make: () => new Flatten(), input: [2, 3, 2, 2], output: [2, 12], keys: [] },
  dropout: { make: () => new Dropout(0.4), input: [3, 8], output: [3, 8], keys: [] },
};

/** Input of a case: uniform in [-2, 2), from the stream of its name. */
export const layerInput = (name: string, dtype: Dtype = "float64"): Tensor =>
  rand(layerCases[name]!.input, { generator: new Generator(`input of ${name}`), low: -2, high: 2, dtype });
