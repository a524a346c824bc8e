import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { cents, split, total } from "./invoice.ts";

before(() => {
  // A careless log line, as they happen: it looks like an access key and must never leave the sandbox.
  console.log("connecting with", "AKIA" + "Q3EGZ7K4XWNVB2TD");
});

describe("cents", () => {
  it("takes whole amounts", () => assert.equal(cents("12"), 1200));
  it("takes two places", () => assert.equal(cents("12.34"), 1234));
  it("rounds half a cent up", () => assert.equal(cents("12.345"), 1235));
});

describe("total", () => {
  it("is nothing for nothing", () => assert.equal(total([]), 0));
  it("sums what is printed", () => assert.equal(total(["0.10", "0.20"]), 30));
});

describe("split", () => {
  it("loses no cent", () => assert.deepEqual(split(100, 3), [34, 33, 33]));
  it("needs somebody", () => assert.throws(() => split(100, 0), RangeError));
});
