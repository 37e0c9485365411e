// What reductions start from and do with each value, in any language of kernels.
import { larger, smaller } from "./expressions.ts";
import type { Language } from "./language.ts";

export interface Reduction {
  readonly initial: number;
  combine(s: string, v: string, language: Language): string;
}
export const adding: Reduction = { initial: 0, combine: (s, v) => `${s} + ${v}` };
export const extremes = {
  amax: { initial: Number.NEGATIVE_INFINITY, combine: larger },
  amin: { initial: Number.POSITIVE_INFINITY, combine: smaller },
} as const satisfies Record<string, Reduction>;
