<?php
// Written from the generated prompt alone (use case bulk, PHP, no framework).
// One message to many: `bulk.php plan LIST MESSAGE JOURNAL` and `bulk.php send JOURNAL COST`.
declare(strict_types=1);

const REFUSALS = [
    'invalid_credentials' => 401, 'key_revoked' => 401, 'wallet_forbidden' => 403,
    'insufficient_balance' => 402, 'validation_failed' => 422, 'send_failed' => 502,
];
const REPEATABLE = [0, 429, 500, 502, 503, 504]; // 0: no answer

function setting(string $name, ?string $default = null): string
{
    $value = getenv($name);
    return $value !== false && $value !== '' ? $value : $default ?? throw new InvalidArgumentException("set $name");
}

final class WesendallError extends RuntimeException
{
    /** @param string $outcome refused, failed (nothing happened) or unknown (it may have) */
    public function __construct(
        public readonly string $outcome,
        public readonly ?string $reason,
        public readonly int $status = 0,
        public readonly int $retryAfter = 0,
    ) {
        parent::__construct("$outcome: " . ($reason ?? 'no answer'));
    }
}

/** One call: a POST of these parameters, or a GET without any. */
function call(string $path, ?array $params = null): array
{
    $wallet = ['walletId' => setting('WESENDALL_WALLET_ID')];
    $retryAfter = 0;
    $curl = curl_init(setting('WESENDALL_BASE_URL', 'https://www.wesendall.com') . $path . ($params === null ? '?' . http_build_query($wallet) : ''));
    curl_setopt_array($curl, [
        CURLOPT_USERPWD => setting('WESENDALL_API_KEY') . ':' . setting('WESENDALL_API_SECRET'),
        CURLOPT_TIMEOUT => $params === null ? 30 : 45,
        CURLOPT_FOLLOWLOCATION => false,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$retryAfter): int {
            if (preg_match('/^retry-after:\s*(\d+)/i', $line, $match)) {
                $retryAfter = (int) $match[1];
            }
            return strlen($line);
        },
    ]);
    if ($params !== null) {
        curl_setopt_array($curl, [
            CURLOPT_POSTFIELDS => json_encode($wallet + $params, JSON_THROW_ON_ERROR),
            CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        ]);
    }
    $otherwise = $params === null ? 'failed' : 'unknown';
    $text = curl_exec($curl);
    if ($text === false) {
        $unsent = in_array(curl_errno($curl), [CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT], true);
        throw new WesendallError($unsent ? 'failed' : $otherwise, null);
    }
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    $answer = json_decode($text, true);
    if ($status >= 200 && $status < 300 && is_array($answer) && ($answer['success'] ?? true) !== false) {
        return $answer['data'] ?? $answer;
    }
    $answer = is_array($answer) ? $answer : [];
    $detail = is_array($answer['error'] ?? null) ? $answer['error'] : $answer;
    $code = is_string($detail['code'] ?? null) ? $detail['code'] : null;
    throw new WesendallError((REFUSALS[$code] ?? -1) === $status ? 'refused' : $otherwise, $code, $status, $retryAfter);
}

/** Makes a call, and a second time where the first failure allows it. */
function again(callable $make, callable $allowed): array
{
    try {
        return $make();
    } catch (WesendallError $error) {
        if (!$allowed($error)) {
            throw $error;
        }
        usleep(random_int(250_000, 750_000) + $error->retryAfter * 1_000_000);
        return $make();
    }
}

function balance(): array
{
    return again(fn() => call('/api/v1/account/balance'), fn($error) => in_array($error->status, REPEATABLE, true));
}

function send(array $numbers, string $message): void
{
    again(
        fn() => call('/api/v1/sms/send', ['message' => $message, 'recipient' => $numbers]),
        fn($error) => count($numbers) === 1 && $error->outcome === 'refused' && $error->reason === 'send_failed',
    );
}

/** A Ugandan number in E.164, or null. */
function e164(string $text): ?string
{
    $digits = preg_replace('/^00/', '+', preg_replace('/[\s\-.()]/', '', $text));
    return preg_match('/^(?:\+?256(\d{9})|0?(7\d{8}))$/D', $digits, $match) ? '+256' . end($match) : null;
}

function save(string $path, array $journal): void
{
    $file = fopen("$path.new", 'w');
    chmod("$path.new", 0600);
    fwrite($file, json_encode($journal, JSON_THROW_ON_ERROR));
    fsync($file);
    fclose($file);
    rename("$path.new", $path);
}

function plan(string $list, string $message, string $path): int
{
    if (file_exists($path)) {
        throw new InvalidArgumentException("$path is there already: it may be of a send that has begun");
    }
    $length = intdiv(strlen(iconv('UTF-8', 'UTF-16LE', $message)), 2);
    if ($length < 1 || $length > 1600) {
        throw new InvalidArgumentException("the message has $length UTF-16 code units; 1 to 1,600 are allowed");
    }
    [$people, $dropped] = [[], []];
    foreach (array_filter(array_map('trim', file($list)), fn($line) => $line !== '') as $line) {
        $number = e164($line);
        if ($number === null) {
            $dropped[] = ['number' => $line, 'why' => 'not a Ugandan number'];
        } elseif (in_array($number, $people, true)) {
            $dropped[] = ['number' => $line, 'why' => 'twice'];
        } else {
            $people[] = $number;
        }
    }
    $account = balance();
    $units = intdiv($length + 159, 160);
    $cost = (int) ceil($units * count($people) * $account['cost_per_sms']);
    $batches = array_map(
        fn(array $numbers) => ['numbers' => $numbers, 'state' => 'pending'],
        $people === [] ? [] : array_chunk($people, max(1, (int) setting('BULK_BATCH', '500'))),
    );
    save($path, ['message' => $message, 'units' => $units, 'price' => $account['cost_per_sms'], 'cost' => $cost, 'batches' => $batches]);
    echo json_encode([
        'people' => count($people), 'units' => $units, 'cost' => $cost,
        'balance' => $account['balance'], 'balance_after' => $account['balance'] - $cost, 'dropped' => $dropped,
    ]), "\n";
    return 0;
}

function run(string $path, string $confirmed): int
{
    $journal = json_decode(file_get_contents($path), true, 512, JSON_THROW_ON_ERROR);
    foreach ($journal['batches'] as &$batch) {
        if ($batch['state'] === 'sending') {
            $batch['state'] = 'unknown'; // the program ended before its outcome was known
        }
    }
    unset($batch);
    save($path, $journal);
    $pending = array_keys(array_filter($journal['batches'], fn($batch) => $batch['state'] === 'pending'));
    if ($pending !== []) {
        $account = balance();
        $people = array_sum(array_map(fn($at) => count($journal['batches'][$at]['numbers']), $pending));
        $due = $people * $journal['units'] * $account['cost_per_sms'];
        if ((string) $journal['cost'] !== $confirmed || $account['cost_per_sms'] !== $journal['price'] || $account['balance'] < $due) {
            echo json_encode(['status' => 'stopped']), "\n";
            return 1;
        }
    }
    foreach ($pending as $at) {
        $journal['batches'][$at]['state'] = 'sending';
        save($path, $journal);
        try {
            send($journal['batches'][$at]['numbers'], $journal['message']);
            $state = 'sent';
        } catch (WesendallError $error) {
            fwrite(STDERR, $error->getMessage() . "\n");
            $state = $error->outcome === 'failed' ? 'pending' : $error->outcome;
        }
        $journal['batches'][$at]['state'] = $state;
        save($path, $journal);
        if ($state !== 'sent') {
            break;
        }
    }
    $counts = ['sent' => 0, 'refused' => 0, 'unknown' => 0, 'pending' => 0];
    foreach ($journal['batches'] as $batch) {
        $counts[$batch['state']]++;
    }
    $status = $counts['sent'] === count($journal['batches']) ? 'sent' : ($counts['unknown'] > 0 ? 'unknown' : 'incomplete');
    echo json_encode(['status' => $status] + $counts), "\n";
    return ['sent' => 0, 'unknown' => 3][$status] ?? 1;
}

try {
    exit(match (true) {
        $argc === 5 && $argv[1] === 'plan' => plan($argv[2], $argv[3], $argv[4]),
        $argc === 4 && $argv[1] === 'send' => run($argv[2], $argv[3]),
        default => throw new InvalidArgumentException('usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST'),
    });
} catch (InvalidArgumentException | WesendallError $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
