<?php
// Hands in a job over HTTP, waits for it, and prints its results.
//
//   TOKEN=... php enqueue-http.php http://127.0.0.1:8088 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD
//
// Where no answer comes, send it again with the same key, here order-4711: it stays one job.
declare(strict_types=1);

[, $url, $key] = $argv;
$references = array_slice($argv, 3);

function ask(string $address, array $headers = [], ?string $body = null): array
{
    $curl = curl_init($address);
    curl_setopt_array($curl, [
        CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('TOKEN'), ...$headers],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 60,
    ]);
    if ($body !== null) {
        curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
    }
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new RuntimeException(curl_error($curl));
    }
    $document = json_decode($answer, true, flags: JSON_THROW_ON_ERROR);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($status >= 300) {
        throw new RuntimeException("$status: {$document['detail']}");
    }
    return $document;
}

$job = ask(
    "$url/v1/jobs",
    ['Content-Type: application/json', "Idempotency-Key: $key", 'Prefer: wait=30'],
    json_encode(['references' => $references, 'reason' => 'order withdrawn'], JSON_THROW_ON_ERROR),
);
while (empty($job['finished_at'])) {
    sleep(1);
    $job = ask("$url/v1/jobs/{$job['job']}");
}
echo "{$job['job']} {$job['state']}\n";

$cursor = '';
do {
    $page = ask("$url/v1/jobs/{$job['job']}/results$cursor");
    foreach ($page['results'] as $result) {
        echo "{$result['reference']} {$result['outcome']}\n";
    }
    $cursor = "?cursor={$page['next']}";
} while ($page['next'] !== null);
