import { expect, test } from "vitest";
import { createDeliveryPlaces, PER_ENDPOINT, PLACES } from "./delivery-places.ts";

const endpoint = (id: string, orgId = `org of ${id}`) => ({ id, orgId });

/** Takes places until there is none. @returns how many there were. */
function takeAll(places: ReturnType<typeof createDeliveryPlaces>, one: ReturnType<typeof endpoint>): number {
  let taken = 0;
  while (places.take(one)) taken++;
  return taken;
}

test("[E11] an endpoint has a few places, and one while it lets attempts run out of time", () => {
  const places = createDeliveryPlaces();
  expect(takeAll(places, endpoint("a"))).toBe(PER_ENDPOINT);
  expect(places.full()).toEqual({ endpointIds: ["a"], orgIds: [] });
  for (let count = 0; count < PER_ENDPOINT; count++) {
    places.answered("a", false);
    places.giveBack(endpoint("a"));
  }
  expect(places.full()).toEqual({ endpointIds: [], orgIds: [] });
  expect(takeAll(places, endpoint("a"))).toBe(1);
  places.answered("a", true);
  expect(takeAll(places, endpoint("a"))).toBe(PER_ENDPOINT - 1);
});

test("[E11] an organisation with fifty endpoints leaves places to the others", () => {
  const places = createDeliveryPlaces();
  const taken = Array.from({ length: 50 }, (_, n) => takeAll(places, endpoint(`e${n}`, "greedy")));
  expect(taken.reduce((sum, one) => sum + one)).toBeLessThanOrEqual(PLACES / 4);
  expect(places.full().orgIds).toEqual(["greedy"]);
  expect(takeAll(places, endpoint("other"))).toBe(PER_ENDPOINT);
});

test("[E11] slow endpoints of any number of organisations leave half of the places to the quick ones", () => {
  const places = createDeliveryPlaces();
  for (let n = 0; n < 500; n++) places.answered(`slow${n}`, false);
  const taken = Array.from({ length: 500 }, (_, n) => takeAll(places, endpoint(`slow${n}`)));
  expect(taken.reduce((sum, one) => sum + one)).toBe(PLACES / 2);
  expect(places.full().endpointIds).toHaveLength(500);
  expect(takeAll(places, endpoint("quick"))).toBe(PER_ENDPOINT);
});
