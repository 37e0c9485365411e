// One training picture as the network sees it: mosaic, affine, mixup, colour, flips.
import { Generator } from "@orepa/tensor";
import { type AffineArgs, randomAffine } from "./affine.ts";
import { type AugmentArgs, augment } from "./augment.ts";
import { placeLongSide } from "./letterbox.ts";
import { drawCentre, drawShare, mixup, mosaic } from "./mosaic.ts";
import { type Input, loadResized, placeSample } from "./place-sample.ts";
import type { Dataset, LabelledImage } from "./types.ts";

/** Everything that changes training pictures by chance. */
export interface TrainAugmentArgs extends AugmentArgs, AffineArgs {
  /** Chance of a mosaic of four pictures. */
  readonly mosaic: number;
  /** Chance of a second picture laid over. */
  readonly mixup: number;
  /** The last so many epochs go without mosaic and mixup; a training of no more epochs has none at all. */
  readonly close_mosaic: number;
}

/** Where in a training a picture stands. */
export interface TrainPosition {
  readonly epoch: number;
  /** Epochs of the training; `close_mosaic` counts back from there. */
  readonly epochs: number;
  readonly imgsz: number;
  readonly seed: number;
}

/**
 * Picture `index` of an epoch. The partners of a mosaic are drawn from the whole training set, not from those loaded lately, so that
 * the result depends on (seed, epoch, index) alone. Without a mosaic the picture is letterboxed before the affine map.
 */
export async function trainSample(
  dataset: Dataset,
  index: number,
  { position, args }: { readonly position: TrainPosition; readonly args: TrainAugmentArgs },
): Promise<Input> {
  const { epoch, epochs, imgsz, seed } = position;
  const isClosed = epoch >= epochs - args.close_mosaic;
  const generator = new Generator(`shape ${seed} ${epoch} ${index}`);
  const count = dataset.samples.length;
  const square = { width: imgsz, height: imgsz };
  const shape = async (i: number): Promise<LabelledImage> => {
    if (!isClosed && generator.uniform() < args.mosaic) {
      const centre = drawCentre(imgsz, generator);
      const partners = [generator.integer(count), generator.integer(count), generator.integer(count)] as const;
      const tile = (which: number) => resizedSample(dataset, which, imgsz);
      const [a, b, c] = partners;
      const tiles = [await tile(i), await tile(a), await tile(b), await tile(c)] as const;
      return randomAffine(mosaic(tiles, { size: imgsz, centre }), args, { size: imgsz, generator });
    }
    const { image, boxes } = await placeSample(dataset, i, { ...square, imgsz });
    return randomAffine({ image, boxes }, args, { size: imgsz, generator });
  };
  let shaped = await shape(index);
  if (!isClosed && generator.uniform() < args.mixup) {
    const partner = await shape(generator.integer(count));
    shaped = mixup(shaped, partner, drawShare(generator));
  }
  const changed = augment(shaped, args, new Generator(`augment ${seed} ${epoch} ${index}`));
  return { ...changed, placement: placeLongSide(dataset.samples[index]!, square, imgsz) };
}

/** A picture with a long side of `size`, the other rounded up, and its boxes. */
async function resizedSample(dataset: Dataset, index: number, size: number): Promise<LabelledImage> {
  const sample = dataset.samples[index]!;
  const image = await loadResized(dataset, index, placeLongSide(sample, { width: size, height: size }, size));
  return { image, boxes: sample.boxes };
}
