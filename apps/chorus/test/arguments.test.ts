import { describe, expect, it } from "vitest";
import { parseArguments } from "../src/arguments.ts";

describe("chorus demo's arguments", () => {
  it("needs none", () => {
    expect(parseArguments([])).toEqual({ keep: false });
  });
  it("takes the user's own project", () => {
    expect(parseArguments(["--source", ".", "--run", "make && make test", "--keep"])).toEqual({
      keep: true,
      source: ".",
      run: "make && make test",
    });
  });
  it("asks for help", () => {
    expect(parseArguments(["--help"])).toBeUndefined();
  });
  it.each([
    [["--sorce", "."], "--sorce"],
    [["--run", "x"], "--source"],
    [["--source", ""], "must not be empty"],
    [["--source", ".", "--task", ""], "must not be empty"],
    [["extra"], "extra"],
  ])("refuses %j", (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });
});
