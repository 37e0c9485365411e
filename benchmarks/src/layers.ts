// Convolutions as they occur in YOLO11n, one per kind, in order of growing depth.

export interface Layer {
  readonly from: number;
  readonly to: number;
  readonly kernel: 1 | 3;
  readonly stride: 1 | 2;
  /** The input's side as a part of the picture's side: 1 / this. */
  readonly reduction: number;
  readonly depthwise?: boolean;
  /** The first layer's input is the picture: nobody asks for its gradient. */
  readonly first?: boolean;
}
export const layers: readonly Layer[] = [
  { from: 3, to: 16, kernel: 3, stride: 2, reduction: 1, first: true },
  { from: 16, to: 32, kernel: 3, stride: 2, reduction: 2 },
  { from: 32, to: 32, kernel: 1, stride: 1, reduction: 4 },
  { from: 16, to: 8, kernel: 3, stride: 1, reduction: 4 },
  { from: 64, to: 64, kernel: 3, stride: 2, reduction: 4 },
  { from: 64, to: 64, kernel: 3, stride: 1, reduction: 8 },
  { from: 64, to: 64, kernel: 3, stride: 1, reduction: 8, depthwise: true },
  { from: 128, to: 128, kernel: 1, stride: 1, reduction: 16 },
  { from: 128, to: 256, kernel: 3, stride: 2, reduction: 16 },
  { from: 256, to: 256, kernel: 1, stride: 1, reduction: 32 },
];
/** `64->64 k3 s2 (80)`, the last number being the input's side. */
export const layerName = ({ from, to, kernel, stride, depthwise }: Layer, side: number): string =>
  `${from}->${to} k${kernel}${stride > 1 ? ` s${stride}` : ""}${depthwise ? " dw" : ""} (${side})`;
