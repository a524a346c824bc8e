// One voter of the bench, in a process of its own. Arguments: its number, the directory of all and how many they are.
import { openMember } from "./mesh.ts";

const [number = "0", directory = "", voters = "3"] = process.argv.slice(2);
await openMember(Number(number), directory, Number(voters));
process.send?.("ready");
