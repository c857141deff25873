// A module hook of Node.js: the suite's "fs" is the one that has `globSync`.
const SUITE = "/node_modules/@modelcontextprotocol/conformance/";

export async function resolve(specifier, context, next) {
  if (specifier === "fs" && context.parentURL?.includes(SUITE)) {
    return { url: new URL("./fs.mjs", import.meta.url).href, format: "module", shortCircuit: true };
  }
  return next(specifier, context);
}
