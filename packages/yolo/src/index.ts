export {};
export * from "./errors.ts";
export * from "./metrics/average-precision.ts";
export * from "./metrics/box-iou.ts";
export * from "./metrics/confusion-matrix.ts";
export * from "./metrics/detection-metrics.ts";
export * from "./metrics/matching.ts";
export * from "./metrics/nms.ts";
export * from "./predict/postprocess.ts";
