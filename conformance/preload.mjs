// Loaded into the suite's own process before it, and not into the client under test. The suite is used as published;
// two things about its surroundings are put right here.
import net from "node:net";
import fs from "node:fs";
import { register } from "node:module";

// The suite imports `globSync` from "fs", which Node.js has since version 22, for subcommands that are not used here.
// Without it not even the module graph links.
if (!fs.globSync) {
  register("./resolve.mjs", import.meta.url);
}

// The mock servers listen on every interface. `listen(port, host)` would look the host up and so be late for the
// suite, which asks for the address at once; the step after the look-up is not.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const callback = rest.at(0);
  const isPlain = typeof port === "number" && (rest.length === 0 || typeof callback === "function");
  if (!isPlain) {
    return listen.call(this, port, ...rest);
  }
  if (callback) {
    this.once("listening", callback);
  }
  this._listen2("127.0.0.1", port, 4, 511, undefined, 0);
  return this;
};
