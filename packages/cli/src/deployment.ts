// Deploying trained weights: the plain network's file, the check that it computes the same, and a report of what became of every block.

import { StateDictError, stateDict, writeSafetensors } from "@orepa/autograd";
import { DeployError, deployModel, type ModelReport } from "@orepa/orepa";
import { Generator, rand, type Tensor } from "@orepa/tensor";
import { type DetectModel, type FusedModel, FuseError, fuse, UserError } from "@orepa/yolo";
import { deployDetails, deploySummary } from "./deploy-report.ts";
import { type Io, line } from "./io.ts";
import { fuseFacts } from "./model-report.ts";
import { loadedModel, metadataOf, type readWeights } from "./models.ts";
import { writeAtomic } from "./node-files.ts";

/** Weights as they are read from a file. */
type Found = Awaited<ReturnType<typeof readWeights>>;

/**
 * Writes the deployed form of weights to `file`, and what became of every block to a text file beside it; prints where, and a summary.
 * @throws UserError if the deployed network would compute something else; nothing is then written.
 */
export async function writeDeployed(
  found: Found,
  { file, imgsz }: { readonly file: string; readonly imgsz: number },
  io: Io,
): Promise<FusedModel> {
  const { architecture, weights } = found;
  const { names } = weights;
  const model = loadedModel(found);
  const side = Math.max(64, ...model.strides);
  const probe = rand([1, 3, side, side], { generator: new Generator("deploy probe") });
  const fused = fuseOrExplain(model, probe, weights.file);
  const report = reportOrExplain(model, imgsz, weights.file);

  const metadata = metadataOf({ ...architecture, fused: true }, { names, imgsz });
  await writeAtomic(file, writeSafetensors(stateDict(fused.model), metadata));
  const { label } = architecture;
  line(io, fuseFacts(architecture, { label, nc: names.length }).text);
  line(
    io,
    `Deployed ${weights.file} as plain convolutions: ${file}, largest deviation ${fused.deviation.toExponential(2)}`,
  );
  const details = file.replace(/\.safetensors$/i, ".txt");
  await writeAtomic(details, deployDetails(report, { label, side: imgsz }));
  for (const text of deploySummary(report)) line(io, `  ${text}`);
  line(io, `Every block of it: ${details}`);
  return fused;
}

/** What nothing was written for. */
const kept = (file: string): string => `nothing was deployed; the trained weights are in ${file}`;

/** Fuses; weights whose fused form differs are no success to be passed over, but they are kept. */
function fuseOrExplain(model: DetectModel, probe: Tensor, file: string): FusedModel {
  try {
    return fuse(model, { probe });
  } catch (error) {
    if (error instanceof StateDictError)
      throw new UserError(
        `${error.message} (a block of your own must build plain convolutions with biases where context.fused is true; ${kept(file)})`,
      );
    if (!(error instanceof FuseError)) throw error;
    throw new UserError(`${error.message} (${kept(file)})`);
  }
}

/** Merges block by block, in place. */
function reportOrExplain(model: DetectModel, side: number, file: string): ModelReport {
  try {
    return deployModel(model, { inputShape: [1, 3, side, side] }).report;
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    throw new UserError(`${error.message} (${kept(file)})`);
  }
}
