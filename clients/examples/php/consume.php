<?php
// Reads the results of all jobs through a consumer group, until it is stopped.
//
//   php consume.php 127.0.0.1 6379 billing billing-1
//
// A result is acknowledged once it has been dealt with, so one that was under way at a crash comes again.
declare(strict_types=1);

const RESULTS = 'cancellist:results';
[, $host, $port, $group, $consumer] = $argv;
$takeOverMs = $argv[5] ?? '60000';
$redis = new Redis();
$redis->connect($host, (int) $port);
$redis->xGroup('CREATE', RESULTS, $group, '0', true); // false where it is there already

function deal(Redis $redis, string $group, array|false $read): void
{
    if ($read === false) {
        throw new RuntimeException((string) $redis->getLastError());
    }
    foreach ($read[RESULTS] ?? [] as $id => $result) {
        if ($result) { // else it was trimmed meanwhile
            echo "$id {$result['reference']} {$result['outcome']}\n"; // your own work
        }
        $redis->xAck(RESULTS, $group, [$id]);
    }
}

$start = '0-0';
while (true) {
    // what a consumer that died has held becomes ours; phpredis has a method for it from version 6
    $claim = ['XAUTOCLAIM', RESULTS, $group, $consumer, $takeOverMs, $start, 'COUNT', '100', 'JUSTID'];
    [$start] = $redis->rawCommand(...$claim) ?: throw new RuntimeException((string) $redis->getLastError());
    deal($redis, $group, $redis->xReadGroup($group, $consumer, [RESULTS => '0'], 100)); // all that is ours
    deal($redis, $group, $redis->xReadGroup($group, $consumer, [RESULTS => '>'], 100, 5000)); // what is new
}
