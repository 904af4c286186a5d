// Reads the results of all jobs through a consumer group, until it is stopped.
//
//   node consume.js redis://127.0.0.1:6379/0 billing billing-1
//
// A result is acknowledged once it has been dealt with, so one that was under way at a crash comes again.
import { createClient } from "redis";

const RESULTS = "cancellist:results";
const [url, group, consumer, takeOverMs = "60000"] = process.argv.slice(2);
const redis = createClient({ url });
redis.on("error", (error) => console.error(error.message)); // it connects again by itself
await redis.connect();
await redis.xGroupCreate(RESULTS, group, "0", { MKSTREAM: true }).catch((error) => {
  if (!error.message.startsWith("BUSYGROUP")) throw error;
});

async function deal(entries) {
  for (const { id, message } of entries) {
    console.log(id, message.reference, message.outcome); // your own work
    await redis.xAck(RESULTS, group, id);
  }
}

let start = "0-0";
for (;;) {
  // what a consumer that died has held, or this one before it was started anew
  const old = await redis.xAutoClaim(RESULTS, group, consumer, Number(takeOverMs), start, { COUNT: 100 });
  start = old.nextId;
  await deal(old.messages.filter((entry) => entry !== null));
  const read = await redis.xReadGroup(group, consumer, { key: RESULTS, id: ">" }, { COUNT: 100, BLOCK: 5000 });
  await deal(read?.[0].messages ?? []);
}
