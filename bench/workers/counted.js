// The built Worker with every operation counted that leaves its isolate. Durable Objects of its own get the bindings as they
// are: what they do is not part of a call.
import worker from "./index.js";

export * from "./index.js";

const counterPath = "/.counted";

// The Worker's clock, set from outside: whether a call falls on the once-a-second check of its configuration must not be chance.
let now_ms = 0;
Date.now = () => now_ms;

const zero = () => ({ d1: 0, kv: 0, do: 0, queue: 0, subrequests: 0 });
let counts = zero();
// What still runs behind answers: until it is done, the counts are not.
let pending = 0;

const send = globalThis.fetch;
globalThis.fetch = (...request) => {
  counts.subrequests += 1;
  return send(...request);
};

/** Calls go through; those of the named methods count, and what they return is wrapped again by `inner`. */
function counting(target, kind, methods, inner = (value) => value) {
  return new Proxy(target, {
    get(object, name) {
      const value = Reflect.get(object, name, object);
      if (typeof value !== "function") return value;
      return (...args) => {
        if (methods === undefined || methods.includes(name)) counts[kind] += 1;
        // Not by `apply`, which the stub of a Durable Object would send to the object.
        return inner(object[name](...args), name);
      };
    },
  });
}

const runs = ["first", "run", "all", "raw"];

/** A statement counts when it runs, a batch once: that is one round trip. The database wants its own statements back. */
const statements = new WeakMap();

function statement(raw) {
  const counted = counting(raw, "d1", runs, (value, name) => (name === "bind" ? statement(value) : value));
  statements.set(counted, raw);
  return counted;
}

function database(raw) {
  return new Proxy(raw, {
    get(object, name) {
      if (name === "prepare") return (sql) => statement(object.prepare(sql));
      const value = Reflect.get(object, name, object);
      if (typeof value !== "function") return value;
      return (...args) => {
        counts.d1 += 1;
        return name === "batch"
          ? object.batch(args[0].map((one) => statements.get(one) ?? one))
          : object[name](...args);
      };
    },
  });
}

/** Stubs count with each of their methods, not when they are made. */
function namespace(raw) {
  return counting(raw, "do", [], (value, name) => {
    return name === "get" || name === "getByName" ? counting(value, "do", undefined) : value;
  });
}

function countedContext(context) {
  return {
    passThroughOnException: () => context.passThroughOnException(),
    waitUntil(promise) {
      pending += 1;
      const ended = () => {
        pending -= 1;
      };
      promise.then(ended, ended);
      context.waitUntil(promise);
    },
  };
}

function countedBindings(env) {
  return {
    ...env,
    DB: database(env.DB),
    CACHE: counting(env.CACHE, "kv", undefined),
    TENANT: namespace(env.TENANT),
    OUTBOX: namespace(env.OUTBOX),
    LEDGER: namespace(env.LEDGER),
    SESSION: namespace(env.SESSION),
    AUDIT: counting(env.AUDIT, "queue", undefined),
  };
}

export default {
  ...worker,
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === counterPath) {
      if (pending > 0) return new Response(null, { status: 503 });
      now_ms = Number(searchParams.get("now_ms"));
      const answer = Response.json(counts);
      counts = zero();
      return answer;
    }
    return worker.fetch(request, countedBindings(env), countedContext(context));
  },
};
