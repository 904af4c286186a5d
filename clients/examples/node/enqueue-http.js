// Hands in a job over HTTP, waits for it, and prints its results.
//
//   TOKEN=... node enqueue-http.js http://127.0.0.1:8088 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD
//
// Where no answer comes, send it again with the same key, here order-4711: it stays one job.
const [url, key, ...references] = process.argv.slice(2);

async function ask(path, { headers, ...options } = {}) {
  const answer = await fetch(url + path, {
    ...options,
    headers: { Authorization: `Bearer ${process.env.TOKEN}`, ...headers },
  });
  const document = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${document.detail}`);
  return document;
}

let job = await ask("/v1/jobs", {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": key, Prefer: "wait=30" },
  body: JSON.stringify({ references, reason: "order withdrawn" }),
});
while (!job.finished_at) {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  job = await ask(`/v1/jobs/${job.job}`);
}
console.log(job.job, job.state);

let page = { next: "" };
while (page.next !== null) {
  page = await ask(`/v1/jobs/${job.job}/results${page.next && `?cursor=${page.next}`}`);
  for (const { reference, outcome } of page.results) console.log(reference, outcome);
}
