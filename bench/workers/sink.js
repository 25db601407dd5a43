// Takes the messages of a Queue and does nothing with them.
export default {
  fetch: () => new Response(null, { status: 404 }),
  queue() {},
};
