// orepa export: trained weights become the plain network that is deployed, with a report of every block that was merged.

import { UserError } from "@orepa/yolo";
import { writeDeployed } from "../deployment.ts";
import type { ModeFunction } from "../mode.ts";
import { readWeights } from "../models.ts";
import { placeOf } from "../modules.ts";

/** Writes `<name>-deployed.safetensors` and `.txt` beside the weights. */
export const exportWeights: ModeFunction = async ({ settings, given }, io) => {
  if (settings.model === null)
    throw new UserError(
      "model: expected weights to deploy, got none (e.g. model=runs/detect/train/weights/best.safetensors)",
    );
  const found = await readWeights(settings.model, await placeOf(settings, io.cwd));
  const { file, imgsz: side } = found.weights;
  if (found.architecture.fused)
    throw new UserError(`model: expected trained weights, got deployed ones in ${file} (they can be used as they are)`);
  const imgsz = given.has("imgsz") ? Math.ceil(settings.imgsz / 32) * 32 : side;
  const deployed = file.replace(/\.safetensors$/i, "-deployed.safetensors");
  const { deviation } = await writeDeployed(found, { file: deployed, imgsz }, io);
  return { json: { deployed, deviation } };
};
