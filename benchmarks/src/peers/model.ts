// YOLO11n with weights drawn by seed and the running statistics of a picture: activations of ordinary size all the way, as
// in a trained network, so that a wrong connection shows in the output.
import { initialize, namedVariables } from "@orepa/autograd";
import { add, div, Generator, mul, rand, sub, type Tensor } from "@orepa/tensor";
import { buildModel, type DetectModel, fuse, modelYaml, normSettings } from "@orepa/yolo";

const CLASSES = 80;
const SIDE = 128;

/** Pictures [batch, 3, side, side]. */
export const pictures = (batch: number, side: number): Tensor =>
  rand([batch, 3, side, side], { generator: new Generator("peers") });

/** YOLO11n as it is initialized. */
export function createModel(): DetectModel {
  const { text, scale } = modelYaml("yolo11n.yaml");
  const model = buildModel(text, { scale, nc: CLASSES });
  initialize(model, 0);
  return model;
}

/** The model after one forward pass in train mode, with that pass's statistics alone as running statistics. */
function calibratedModel(): DetectModel {
  const model = createModel();
  const statistics = [...namedVariables(model)].filter(([key]) => /\.running_(mean|var)$/.test(key));
  const before = new Map(statistics.map(([key, { value }]) => [key, value]));
  model.forward(pictures(2, SIDE), "train");
  // running = (1 - m) before + m batch, solved for batch
  const { momentum } = normSettings;
  for (const [key, variable] of statistics) {
    const batch = div(sub(variable.value, mul(before.get(key)!, 1 - momentum)), momentum);
    variable.assign(key.endsWith("_var") ? add(batch, 1e-6) : batch);
  }
  return model;
}

/** The calibrated model as it is deployed: norms merged into convolutions. */
export const deployedModel = (): DetectModel => fuse(calibratedModel(), { probe: pictures(1, 64) }).model;
