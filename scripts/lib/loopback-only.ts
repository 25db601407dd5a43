/**
 * Preloaded into servers that would listen on every interface of the machine (`node --import`): a demo without access
 * control must not be reachable from the network.
 */
import { Server } from "node:net";

const listen = Server.prototype.listen;

Server.prototype.listen = function listenOnLoopback(this: Server, ...args: unknown[]): Server {
  const [port, second, ...rest] = args;
  const named = typeof second === "string";
  const bare = (typeof port === "number" || typeof port === "string") && !named;
  const next = bare ? [Number(port), "127.0.0.1", ...(second === undefined ? [] : [second]), ...rest] : args;
  return Reflect.apply(listen, this, next);
};
