// What the console says about a model: layers, re-parameterized blocks with their branches, and sums.

import { describe, findModules, isLinearBlock } from "@orepa/orepa";
import { type DetectModel, formatLayerTable, layerTable, type ModelInfo, modelInfo, summary } from "@orepa/yolo";
import { type Io, line } from "./io.ts";
import { type Architecture, createModel } from "./models.ts";

/** Prints the layer table, every re-parameterized block and the summary line; returns the facts. */
export function printModel(
  model: DetectModel,
  { io, label, imgsz, verbose }: { io: Io; label: string; imgsz?: number; verbose: boolean },
): ModelInfo {
  if (verbose) {
    line(io, formatLayerTable(layerTable(model)));
    for (const [path, block] of findModules(model, isLinearBlock)) line(io, `${path}: ${describe(block)}`);
  }
  const facts = modelInfo(model, imgsz);
  line(io, summary(label, facts));
  return facts;
}

/** The facts of the deployed form of an architecture, and its summary line. */
export function fuseFacts(
  architecture: Architecture,
  { label, nc, imgsz }: { label: string; nc: number; imgsz?: number },
): { info: ModelInfo; text: string } {
  const info = modelInfo(createModel({ ...architecture, fused: true }, { nc }), imgsz);
  return { info, text: summary(`${label} (deployed)`, info) };
}
