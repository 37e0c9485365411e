// orepa info: a model in numbers, as it trains and as it is deployed.

import { line } from "../io.ts";
import type { ModeFunction } from "../mode.ts";
import { fuseFacts, printModel } from "../model-report.ts";
import { createModel, DEFAULT_MODEL, findModel } from "../models.ts";
import { placeOf } from "../modules.ts";

/** Prints layers, re-parameterized blocks and sums. */
export const info: ModeFunction = async ({ settings, given }, io) => {
  const { architecture, weights } = await findModel(
    settings.model ?? DEFAULT_MODEL,
    await placeOf(settings, io.cwd),
    settings.reparam,
  );
  const nc = weights?.names.length;
  const model = createModel(architecture, nc === undefined ? {} : { nc });
  const imgsz = given.has("imgsz") ? settings.imgsz : 640;
  const facts = printModel(model, { io, label: architecture.label, imgsz, verbose: settings.verbose });
  const deployed = fuseFacts(architecture, { label: architecture.label, nc: model.nc, imgsz });
  line(io, deployed.text);
  return {
    json: {
      parameters: facts.parameters,
      gradients: facts.gradients,
      gflops: facts.gflops,
      layers: facts.layers,
      deployed: { parameters: deployed.info.parameters, gflops: deployed.info.gflops },
    },
  };
};
