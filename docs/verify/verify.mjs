// Verifies one webhook request, given as JSON {"secret", "headers", "body"} on standard input.
//
// Prints "verified", or says why not and exits with 1. It needs `npm install standardwebhooks@1.1.1`.
// In a receiver, `body` is the text of the request exactly as it arrived: verify first, parse afterwards.

import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
try {
  // Returns the event, parsed. Anything it throws means: answer with 401.
  const event = new Webhook(secret).verify(body, headers);
} catch (error) {
  console.error(`not verified: ${error.message}`);
  process.exit(1);
}
console.log("verified");
