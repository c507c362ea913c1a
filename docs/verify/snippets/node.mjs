// npm install express@5.3.0 standardwebhooks@1.1.1
import express from "express";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SYNCHUB_WEBHOOK_SECRET);
const app = express();

// express.raw keeps the bytes as they arrived: verify first, parse afterwards.
app.post("/hooks", express.raw({ type: () => true, limit: "1mb" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch {
    // Whatever it throws: malformed headers are not always a WebhookVerificationError.
    return response.sendStatus(401);
  }
  // Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
  console.log("received", request.headers["webhook-id"], event.type);
  response.sendStatus(204);
});

app.listen(process.env.PORT ?? 8000, "127.0.0.1");
