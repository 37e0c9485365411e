// Everything @orepa/autograd offers.
export { drawFixture, fixtureWeights, fnv1a } from "./testing/fixtures.ts";
