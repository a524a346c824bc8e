// One voter of the bench, in a process of its own. Arguments: its number and the directory of all.
import { openMember } from "./mesh.ts";

const [number = "0", directory = ""] = process.argv.slice(2);
await openMember(Number(number), directory, 3);
process.send?.("ready");
