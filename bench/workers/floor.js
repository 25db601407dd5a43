// The least that a Worker in front of an upstream can do: pass the request on and stream the answer back.
export default {
  fetch(request, env) {
    return fetch(new Request(env.UPSTREAM, request));
  },
};
