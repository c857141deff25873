// "fs" of an older Node.js, with the one name that the suite's imports ask for.
export * from "node:fs";
export { default } from "node:fs";

export function globSync() {
  throw new Error("globSync needs Node.js 22");
}
