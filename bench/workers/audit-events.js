// The two events of a call, of the usual size.
const actor = { agent: "01994f2e-6d5c-7b1a-9c3d-2f4e5a6b7c8d", client_name: "gatehouse-bench" };
const target = {
  method: "tools/call",
  endpoint: "/mcp/bench",
  server: "bench",
  server_id: "01994f2e-6d5c-7b1a-9c3d-2f4e5a6b7c8e",
  name: "small",
  protocol_version: "2026-07-28",
};

export const requestEvent = (id, time) => ({
  id,
  type: "mcp.request",
  tenant: "default",
  time,
  actor,
  target,
  decision: { effect: "allow", policy: "allow-list:01994f2e-6d5c-7b1a-9c3d-2f4e5a6b7c8d", reason: "on_allow_list" },
  request: {
    size_bytes: 400,
    token_weight: 100,
    arguments: { query: { type: "string", size_chars: 20, hmac: "bench:AAAAAAAAAAAAAAAAAAAAAA" } },
  },
  source: {},
  deadline: time + 600_000,
});

export const responseEvent = (request_id, time) => ({
  id: crypto.randomUUID(),
  type: "mcp.response",
  tenant: "default",
  time,
  actor,
  request_id,
  target,
  outcome: { status: "ok" },
  duration_ms: 1,
  response: { size_bytes: 160, token_weight: 40 },
});
