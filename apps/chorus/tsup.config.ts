export { app as default } from "../../tools/tsup.base.ts";
