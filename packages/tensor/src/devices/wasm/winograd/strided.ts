// The transforms of stride 2 as conv.ts and conv-weight.ts use them, over planes that are laid out as in winograd-strided.ts.
import { filters, type StridedName } from "../kernels/winograd-matrices.ts";
import { FOUR, PANEL } from "../kernels/winograd-product.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";
import type { KernelSteps } from "./conv.ts";
import { type Call, type Part, pixelOf, planeBytes, type TileSizes } from "./tiles.ts";

type Channels = Pick<TileSizes, "C" | "O"> & { readonly filter: StridedName };
/** Bytes from tile to tile of a map. */
const tileOf = (filter: StridedName, map: MapSteps) => 2 * filters[filter].m * map.pixel;

/** As `winogradPack`. */
export function stridedPack(
  kernels: Kernels,
  d: Channels & { readonly w: KernelSteps; readonly u: number; readonly turned: boolean },
  { thread, threads, scratch }: Part,
): void {
  const { w, u, turned, C, O } = d;
  const pack = kernels[`stridedPack${d.filter}`];
  // Summed channels come in groups of four; turned, the groups are panels of results, and all summed channels lie inside.
  const [column, step] = turned ? [w.c, w.o] : [w.o, w.c];
  const [panels, groups, depth] = turned ? [C / PANEL, 1, O] : [O / PANEL, C / FOUR, FOUR];
  const last = Math.floor((panels * (thread + 1)) / threads);
  for (let panel = Math.floor((panels * thread) / threads); panel < last; panel++)
    for (const half of [0, 1])
      pack({
        map: w.at + (PANEL * panel + FOUR * half) * column + (turned ? 2 * (w.row + w.tap) : 0),
        step,
        column,
        row: turned ? -w.row : w.row,
        place: turned ? -w.tap : w.tap,
        mapTile: 0,
        planesTile: 0,
        planes: u + 16 * half,
        plane: planeBytes(4 * C, O),
        temporary: scratch,
        before: 32 * panel * groups * depth,
        tiles: 1,
        groups,
        depth,
        unit: 32 * depth,
      });
}

/** As `winogradUnpack` of conv-weight.ts. */
export function stridedUnpack(
  kernels: Kernels,
  { filter, dw, C, O }: Channels & { readonly dw: KernelSteps },
  { temporary, m, plane }: { temporary: number; m: number; plane: number },
): void {
  const unpack = kernels[`stridedUnpack${filter}`];
  for (let o = 0; o < O; o += FOUR)
    unpack({
      map: dw.at + o * dw.o,
      row: dw.row,
      place: dw.tap,
      column: dw.o,
      step: dw.c,
      mapTile: 0,
      planesTile: 0,
      planes: m + 4 * (o % PANEL),
      plane,
      temporary,
      before: 32 * C * Math.floor(o / PANEL),
      tiles: 1,
      groups: C / FOUR,
      depth: FOUR,
      unit: 32 * FOUR,
    });
}

/** Patches of some tiles to v. */
export function stridedInput(
  kernels: Kernels,
  { filter, x, C }: Pick<Channels, "filter" | "C"> & { readonly x: MapSteps },
  calls: readonly Call[],
  to: { temporary: number; v: number; plane: number; vTile: number; vGroup: number },
): void {
  const input = kernels[`stridedInput${filter}`];
  for (const { tile, tiles, image, i, j } of calls)
    input({
      map: pixelOf(x, image, 2 * i, 2 * j),
      row: x.row,
      place: x.pixel,
      column: 0,
      step: 16,
      mapTile: tileOf(filter, x),
      planes: to.v + tile * to.vTile,
      planesTile: to.vTile,
      plane: to.plane,
      temporary: to.temporary,
      before: 0,
      tiles,
      groups: C / FOUR,
      depth: 1,
      unit: to.vGroup,
    });
}

/** Products of some tiles to the input gradient y: all first halves of eight channels, then all second ones. */
export function stridedGradient(
  kernels: Kernels,
  { filter, y, O }: Pick<Channels, "filter" | "O"> & { readonly y: MapSteps },
  calls: readonly Call[],
  from: { temporary: number; m: number; plane: number; mTile: number },
): void {
  const gradient = kernels[`stridedGradient${filter}`];
  for (const { tile, tiles, image, i, j } of calls)
    for (const half of [0, 16])
      gradient({
        map: pixelOf(y, image, 2 * i, 2 * j) + half,
        row: y.row,
        place: y.pixel,
        column: 0,
        step: 32,
        mapTile: tileOf(filter, y),
        planesTile: from.mTile,
        planes: from.m + tile * from.mTile + half,
        plane: from.plane,
        temporary: from.temporary,
        before: 0,
        tiles,
        groups: O / PANEL,
        depth: 1,
        unit: 32,
      });
}
