// The checks themselves: a rule with its sign turned round must not pass them.
import { neg, type PrimitiveName } from "@orepa/tensor";
import { afterEach, describe, expect, test } from "vitest";
import { GradcheckError, gradcheck } from "../gradcheck.ts";
import { type Vjp, vjps } from "../vjps.ts";
import { isSample, type OpCase } from "./op-case.ts";
import { opCases } from "./op-cases.ts";
import { sampleFunctions } from "./sample-functions.ts";

// Written to here alone. Any one name stands for all: a rule and its cases always come together from the tables.
const rules = vjps as unknown as Record<string, Vjp<"slice">>;
const right = { ...rules };
afterEach(() => {
  Object.assign(rules, right);
});

const passes = (name: PrimitiveName): boolean => {
  try {
    for (const c of opCases[name] as readonly OpCase<"slice">[]) {
      if (!isSample(c)) continue;
      const { x, functions } = sampleFunctions(name as "slice", c);
      if (x.length) for (const fn of functions) gradcheck(fn, x);
    }
    return true;
  } catch (error) {
    if (error instanceof GradcheckError) return false;
    throw error;
  }
};

describe("a wrong sign turns the checks red", () => {
  const flips = Object.entries(right).flatMap(([name, rule]): { name: string; what: string; wrong: Vjp<"slice"> }[] => {
    if (typeof rule === "function") return [{ name, what: "all inputs", wrong: (given) => rule(given).map(neg) }];
    if ("none" in rule) return [];
    return rule.flatMap((one, i) => {
      if (!one) return [];
      const wrong = rule.map((other, k) => (k === i ? (given: Parameters<typeof one>[0]) => neg(one(given)) : other));
      return [{ name, what: `input ${i}`, wrong }];
    });
  });

  test.each(flips)("in the rule of $name for $what", ({ name, wrong }) => {
    expect(passes(name as PrimitiveName)).toBe(true);
    rules[name] = wrong;
    expect(passes(name as PrimitiveName)).toBe(false);
  });
});
