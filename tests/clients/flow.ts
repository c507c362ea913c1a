// The quick start's flow with a client that openapi-typescript made of the API's document: `tests/clients/main.rs` checks its types and runs it.
// It says what came of it as one line of JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined>; exitCode: number };

const api = createClient<paths>({
  baseUrl: process.env.API_URL,
  headers: { authorization: `Bearer ${process.env.API_KEY}` },
});

// The answer, or the problem's code as an error.
function got<Data>(answer: { data?: Data; error?: unknown }): Data {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

// A job is told from others by its kind, and each kind has fields of its own.
function about(job: components["schemas"]["Job"]): string {
  switch (job.kind) {
    case "recover":
      return job.destination_id;
    case "replay":
      return job.subscription_id;
    case "delete_account":
      return job.account;
  }
}

async function flow() {
  const types = got(await api.GET("/v1/event-types")).data.map((one) => one.event_type);

  // The same twice under a key: one destination, and its secret both times.
  const wanted = {
    params: { header: { "Idempotency-Key": "flow-ts" } },
    body: { name: "Everything (ts)", url: "https://example.com/hooks" },
  };
  const destination = got(await api.POST("/v1/destinations", wanted));
  const again = got(await api.POST("/v1/destinations", wanted));

  const subscription = got(
    await api.POST("/v1/subscriptions", {
      body: {
        name: "Everything (ts)",
        destination_id: destination.id,
        event_types: ["*"],
        scope: "*",
        condition: { status: ["succeeded"] },
      },
    }),
  );
  const changed = got(
    await api.PATCH("/v1/destinations/{id}", {
      params: { path: { id: destination.id } },
      body: { timeout_seconds: 20, headers: { "x-team": "data" } },
    }),
  );

  const event = JSON.parse(process.env.EVENT ?? "") as components["schemas"]["NewEvent"];
  const published = got(await api.POST("/v1/events", { body: { ...event, id: "evt-ts" } }));
  const deliveries = got(
    await api.GET("/v1/deliveries", { params: { query: { event_id: published.id, status: "delivered", limit: 10 } } }),
  );
  const ledger = got(await api.GET("/v1/ledger"));
  const job = got(
    await api.POST("/v1/destinations/{id}/recover", {
      params: { path: { id: destination.id } },
      body: { since: "2026-11-20T00:00:00Z" },
    }),
  );

  const taken = await api.POST("/v1/destinations", { body: { name: "Everything (ts)", url: "https://example.com/" } });
  const code = taken.error !== undefined && "code" in taken.error ? taken.error.code : undefined;
  return {
    types: types.length,
    same_secret: destination.secret !== undefined && destination.secret === again.secret,
    condition: subscription.condition,
    timeout_seconds: changed.timeout_seconds,
    delivered: deliveries.data.map((delivery) => delivery.event_type),
    attempts: deliveries.data[0]?.attempt_count,
    closes: ledger.closes,
    job: about(job) === destination.id && job.kind,
    problem: code,
  };
}

flow().then(
  (told) => console.log(JSON.stringify(told)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
