// describe: one line that says what a block is made of.
import type { LinearBlock } from "./block.ts";

/**
 * A line for logs: channels, kernel, stride, the branches with their mean scales, and what they merge into.
 *
 * @example
 * describe(new Orepa(64, 64, { stride: 2, branches: ["origin", "1x1"] })); // -> OREPA 64->64 3x3 s2: origin 0.25 (mean scale), 1x1 1, 2 branches -> one 3x3
 */
export function describe(block: LinearBlock): string {
  const { inChannels, outChannels, kernelSize: k, stride, dilation, groups } = block.geometry;
  const window = `${k}x${k}`;
  const extras = [`s${stride}`, dilation > 1 ? `d${dilation}` : "", groups > 1 ? `g${groups}` : ""].filter(Boolean);
  const scales = block.scales();
  const parts = block.branches.map(({ name }, i) => {
    const scale = scales[i];
    if (!scale) return name;
    const mean = Array.from(scale.toTypedArray()).reduce((sum, v) => sum + v, 0) / scale.size;
    return `${name} ${Number(mean.toFixed(3))}${i === 0 ? " (mean scale)" : ""}`;
  });
  const count = `${parts.length} branch${parts.length === 1 ? "" : "es"}`;
  return `${block.kind} ${inChannels}->${outChannels} ${window} ${extras.join(" ")}: ${parts.join(", ")}, ${count} -> one ${window}`;
}
