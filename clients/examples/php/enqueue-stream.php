<?php
// Hands in a job by the intake stream. When XADD has answered, the job is stored.
//
//   php enqueue-stream.php 127.0.0.1 6379 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD
declare(strict_types=1);

[, $host, $port, $key] = $argv;
$redis = new Redis();
$redis->connect($host, (int) $port);
$entry = $redis->xAdd('cancellist:intake', '*', [
    'references' => json_encode(array_slice($argv, 4), JSON_THROW_ON_ERROR),
    'reason' => 'order withdrawn',
    'requested_by' => 'shop',
    'idempotency_key' => $key,
]);
if ($entry === false) {
    throw new RuntimeException((string) $redis->getLastError());
}
echo "$entry\n";
