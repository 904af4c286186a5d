// Hands in a job by the intake stream. When XADD has answered, the job is stored.
//
//   node enqueue-stream.js redis://127.0.0.1:6379/0 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD
import { createClient } from "redis";

const [url, key, ...references] = process.argv.slice(2);
const redis = await createClient({ url }).connect();
const entry = await redis.xAdd("cancellist:intake", "*", {
  references: JSON.stringify(references),
  reason: "order withdrawn",
  requested_by: "shop",
  idempotency_key: key,
});
console.log(entry);
await redis.close();
