// Convolutions by the 4 x 8 tile: sums over windows of a map that lies channels last, read in place.
import { TILE_CHANNELS, TILE_PIXELS } from "../kernels/conv.ts";
import { TILE_RUN } from "../kernels/conv-weight.ts";
import { type Machine, share } from "./machine.ts";

/** A batch of maps: byte address of the first element that offsets count from, bytes from image to image. */
interface Images {
  readonly at: number;
  readonly image: number;
}
/** y[to] = the sum over the window at `from` of x * weights, for the pixels of two tables. */
export interface ConvStep {
  readonly op: "conv";
  readonly x: Images;
  readonly y: Images;
  /** Panels [1 + rows * taps * run][8] and bytes from panel to panel; another set per image if imageWeights is not 0. */
  readonly weights: number;
  readonly panel: number;
  readonly imageWeights: number;
  readonly panels: number;
  readonly images: number;
  readonly pixels: number;
  /** Byte addresses of tables of byte offsets, one per pixel. */
  readonly inOffsets: number;
  readonly outOffsets: number;
  readonly rows: number;
  readonly taps: number;
  readonly run: number;
  readonly tapGap: number;
  readonly rowGap: number;
  /** Pixels that all panels pass over in turn. */
  readonly block: number;
}

/** Threads take equal parts of the pixels of all images; a pixel's sum does not depend on who computes it. */
export function runConv(step: ConvStep, machine: Machine): void {
  const { pixels, block } = step;
  const [from, to] = share(step.images * pixels, machine);
  for (let at = from; at < to; ) {
    const n = Math.floor(at / pixels);
    const begin = at - n * pixels;
    const end = Math.min(pixels, begin + block, begin + to - at);
    const first = Math.max(0, Math.min(begin, end - TILE_PIXELS)); // a whole tile: it may overlap what is done
    for (let panel = 0; panel < step.panels; panel++)
      machine.kernels.conv({
        inOffsets: step.inOffsets + 4 * first,
        outOffsets: step.outOffsets + 4 * first,
        pixels: Math.max(TILE_PIXELS, end - first),
        x: step.x.at + n * step.x.image,
        w: step.weights + n * step.imageWeights + panel * step.panel,
        y: step.y.at + n * step.y.image + 4 * TILE_CHANNELS * panel,
        rows: step.rows,
        taps: step.taps,
        run: step.run,
        tapGap: step.tapGap,
        rowGap: step.rowGap,
      });
    at += end - begin;
  }
}

/** dw[panel][row][tap][run][8] = the sum over images, rows and pixels of x * ct. */
export interface ConvWeightStep {
  readonly op: "convWeight";
  /** Address of the first window's first element. */
  readonly x: Images & { readonly row: number; readonly pixel: number };
  readonly ct: Images & { readonly row: number; readonly pixel: number };
  readonly dw: number;
  readonly panels: number;
  readonly images: number;
  /** Of the cotangent. */
  readonly rows: number;
  readonly columns: number;
  /** Taps, and bytes of x from tap to tap. */
  readonly rowTaps: number;
  readonly rowStep: number;
  readonly taps: number;
  readonly tapStep: number;
  /** Tiles of 4 floats of a run. */
  readonly tiles: number;
  /** Rows of the cotangent that all tiles pass over in turn. */
  readonly block: number;
}

/** Threads take parts of the result, so nothing is added up between them. */
export function runConvWeight(step: ConvWeightStep, machine: Machine): void {
  const { x, ct, tiles, taps, rowTaps } = step;
  const [from, to] = share(step.panels * rowTaps * taps * tiles, machine);
  const tileFloats = TILE_RUN * TILE_CHANNELS;
  machine.floats.fill(0, step.dw / 4 + from * tileFloats, step.dw / 4 + to * tileFloats);
  for (let n = 0; n < step.images; n++)
    for (let row = 0; row < step.rows; row += step.block)
      for (let run = Math.floor(from / tiles); run * tiles < to; run++) {
        const first = Math.max(from, run * tiles);
        const last = Math.min(to, (run + 1) * tiles);
        const tap = run % taps;
        const u = Math.floor(run / taps) % rowTaps;
        const panel = Math.floor(run / taps / rowTaps);
        machine.kernels.convWeight({
          x:
            x.at +
            n * x.image +
            row * x.row +
            u * step.rowStep +
            tap * step.tapStep +
            4 * TILE_RUN * (first - run * tiles),
          ct: ct.at + n * ct.image + row * ct.row + 4 * TILE_CHANNELS * panel,
          dw: step.dw + 4 * tileFloats * first,
          tiles: last - first,
          rows: Math.min(step.block, step.rows - row),
          pixels: step.columns,
          xRow: x.row,
          xPixel: x.pixel,
          ctRow: ct.row,
          ctPixel: ct.pixel,
        });
      }
}
