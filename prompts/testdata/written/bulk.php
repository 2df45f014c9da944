<?php
// Written from the prompt alone.
//
// One SMS to many people through Wesendall, once and within an agreed price.
//   bulk plan LIST MESSAGE JOURNAL   reads LIST (a number a line), prices the text MESSAGE, writes JOURNAL
//   bulk send JOURNAL COST           sends what JOURNAL has pending, if COST is the plan's
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID; optional:
// WESENDALL_BASE_URL, BULK_BATCH (1 to 500), BULK_STOP (a file of the numbers that said stop, one a line).
declare(strict_types=1);

const LARGEST_BATCH = 500;
const LONGEST_TEXT = 1600;
const UNIT = 160;

/** A call that did not end in "done": refused or failed (nothing happened), or unknown (it may have). */
final class CallFailed extends RuntimeException
{
    public function __construct(public readonly string $outcome, public readonly ?string $apiCode, string $message)
    {
        parent::__construct($message);
    }
}

/** The only code that talks to the API. */
final class Wesendall
{
    // Code and status together: nothing was done, and nothing stays charged.
    private const REFUSALS = [
        'invalid_credentials' => 401,
        'key_revoked' => 401,
        'wallet_forbidden' => 403,
        'insufficient_balance' => 402,
        'validation_failed' => 422,
        'send_failed' => 502,
    ];
    private const LONGEST_WAIT = 30; // a read that is to wait longer is not repeated

    private readonly string $baseUrl;
    private readonly string $walletId;
    private readonly string $key;
    private readonly string $secret;

    public function __construct()
    {
        $this->baseUrl = rtrim(setting('WESENDALL_BASE_URL', 'https://www.wesendall.com'), '/');
        $this->walletId = setting('WESENDALL_WALLET_ID');
        $this->key = setting('WESENDALL_API_KEY');
        $this->secret = setting('WESENDALL_API_SECRET');
    }

    /** @return array{balance: int|float, cost_per_sms: int|float} */
    public function balance(): array
    {
        $data = $this->call('/api/v1/account/balance?' . http_build_query(['walletId' => $this->walletId]));
        foreach (['balance', 'cost_per_sms'] as $field) {
            if (!is_int($data[$field] ?? null) && !is_float($data[$field] ?? null)) {
                throw new CallFailed('failed', null, "the balance has no number in $field");
            }
        }
        return $data;
    }

    /** @param list<string> $numbers */
    public function send(array $numbers, string $message): mixed
    {
        $body = ['walletId' => $this->walletId, 'message' => $message, 'recipient' => $numbers];
        return $this->call('/api/v1/sms/send', $body);
    }

    /** GETs, or POSTs the body of a send. Returns `data`, or the whole answer where there is none. */
    private function call(string $path, ?array $body = null, bool $first = true): mixed
    {
        $isRead = $body === null;
        [$error, $reason, $status, $text, $retryAfter] = $this->exchange($path, $body);
        $answer = json_decode($text, true);
        if ($status >= 200 && $status < 300 && is_array($answer) && ($answer['success'] ?? true) !== false) {
            return $answer['data'] ?? $answer;
        }
        $code = $answer['error']['code'] ?? $answer['code'] ?? null;
        $code = is_string($code) ? $code : null;
        $repeat = $isRead
            ? in_array($status, [429, 500, 502, 503, 504], true) || ($error && $error !== CURLE_OPERATION_TIMEDOUT)
            : $status === 502 && $code === 'send_failed' && count($body['recipient']) === 1;
        if ($first && $repeat && $retryAfter <= self::LONGEST_WAIT) {
            usleep($retryAfter * 1_000_000 + random_int(250_000, 750_000));
            return $this->call($path, $body, false);
        }
        $unsent = in_array($error, [CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT], true);
        $outcome = match (true) {
            $code !== null && (self::REFUSALS[$code] ?? 0) === $status => 'refused',
            $isRead || $unsent => 'failed',
            default => 'unknown',
        };
        throw new CallFailed($outcome, $code, $error ? $reason : "HTTP $status " . ($code ?? 'without a code'));
    }

    /** @return array{int, string, int, string, int} curl's error and its text, HTTP status, body, Retry-After */
    private function exchange(string $path, ?array $body): array
    {
        $retryAfter = 0;
        $curl = curl_init($this->baseUrl . $path);
        curl_setopt_array($curl, [
            CURLOPT_USERNAME => $this->key,
            CURLOPT_PASSWORD => $this->secret,
            CURLOPT_HTTPAUTH => CURLAUTH_BASIC,
            CURLOPT_TIMEOUT => $body === null ? 30 : 45,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_FRESH_CONNECT => true, // curl repeats by itself only on a connection it used before
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$retryAfter): int {
                $found = preg_match('/^retry-after:\s*([0-9]{1,6})\s*$/i', $line, $match);
                $retryAfter = $found ? (int) $match[1] : $retryAfter;
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
            curl_setopt($curl, CURLOPT_HTTPHEADER, ['Content-Type: application/json', 'Expect:']);
        }
        $text = curl_exec($curl);
        $status = $text === false ? 0 : curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        return [curl_errno($curl), curl_error($curl), $status, (string) $text, $retryAfter];
    }
}

/** The plan and the state of its batches: one JSON file, held by one process and replaced in one step. */
final class Journal
{
    public array $plan = [];
    /** @var resource */
    private readonly mixed $lock;

    public function __construct(private readonly string $path)
    {
        $this->lock = fopen("$path.lock", 'c');
        if ($this->lock === false || !flock($this->lock, LOCK_EX | LOCK_NB)) {
            throw new RuntimeException("$path is in use by another run");
        }
    }

    public function exists(): bool
    {
        return file_exists($this->path);
    }

    public function read(): void
    {
        $this->plan = json_decode(readText($this->path), true, 512, JSON_THROW_ON_ERROR);
    }

    public function write(): void
    {
        $text = toJson($this->plan, JSON_PRETTY_PRINT) . "\n";
        $new = "$this->path.new";
        $file = fopen($new, 'w');
        if ($file === false || !chmod($new, 0600) || fwrite($file, $text) !== strlen($text)
            || !fsync($file) || !fclose($file) || !rename($new, $this->path)) {
            throw new RuntimeException("cannot write $this->path");
        }
    }

    /** Splits all that is pending into batches of this size; the other batches stay as they are. */
    public function splitPending(int $size): void
    {
        $settled = array_filter($this->plan['batches'], fn (array $batch) => $batch['state'] !== 'pending');
        $this->plan['batches'] = [...$settled, ...pendingBatches($this->numbersIn('pending'), $size)];
    }

    /** Keeps a batch's new state at once. */
    public function mark(int $index, string $state, ?string $code = null): void
    {
        $change = ['state' => $state, 'code' => $code, 'at' => date(DATE_ATOM)];
        $this->plan['batches'][$index] = $change + $this->plan['batches'][$index];
        $this->write();
    }

    public function count(string $state): int
    {
        return count(array_filter($this->plan['batches'], fn (array $batch) => $batch['state'] === $state));
    }

    /** @return list<string> */
    public function numbersIn(string $state): array
    {
        $batches = array_filter($this->plan['batches'], fn (array $batch) => $batch['state'] === $state);
        return array_merge(...array_values(array_column($batches, 'numbers')));
    }
}

function plan(Wesendall $api, string $list, string $message, string $path): int
{
    $units = unitsOf($message);
    [$people, $dropped] = readList($list, stopped());
    $journal = new Journal($path);
    if ($journal->exists()) {
        throw new RuntimeException("$path exists: a plan never replaces one that may have been sent");
    }
    $wallet = $api->balance();
    $shown = [
        'people' => count($people),
        'units' => $units,
        'cost' => $units * count($people) * $wallet['cost_per_sms'],
        'balance' => $wallet['balance'],
        'dropped' => $dropped,
    ];
    $journal->plan = [
        'message' => $message,
        'cost_per_sms' => $wallet['cost_per_sms'],
        ...$shown,
        'batches' => pendingBatches($people, batchSize()),
    ];
    $journal->write();
    echo toJson($shown), "\n";
    $left = $wallet['balance'] - $shown['cost'];
    note("$shown[people] people, $units units each, UGX $shown[cost]; the balance after it is UGX $left");
    return 0;
}

function send(Wesendall $api, string $path, string $cost): int
{
    $journal = new Journal($path);
    $journal->read();
    $plan = $journal->plan;
    if (!is_numeric($cost) || abs((float) $cost - $plan['cost']) >= 0.005) {
        return stop("the plan costs UGX {$plan['cost']}, and that is not what was confirmed");
    }
    foreach ($plan['batches'] as $index => $batch) {
        if ($batch['state'] === 'sending') {
            $journal->mark($index, 'unknown'); // an earlier run ended in the middle of its call
        }
    }
    $people = count($journal->numbersIn('pending'));
    if ($people === 0) {
        return report($journal, null);
    }
    try {
        $wallet = $api->balance();
    } catch (CallFailed $failure) {
        note("{$failure->outcome}: the balance could not be read: {$failure->getMessage()}");
        return report($journal, $failure->outcome);
    }
    if ($wallet['cost_per_sms'] > $plan['cost_per_sms']) {
        return stop('a unit costs more than in the plan: plan again');
    }
    $needed = $plan['units'] * $people * $wallet['cost_per_sms'];
    if ($wallet['balance'] < $needed) {
        return stop("the balance is UGX {$wallet['balance']}, and what is pending costs UGX $needed");
    }
    $journal->splitPending(batchSize());
    $journal->write();
    $stoppedBy = sendPending($api, $journal);
    try {
        note("the balance is now UGX {$api->balance()['balance']}");
    } catch (CallFailed $failure) {
        note("the balance could not be read: {$failure->getMessage()}");
    }
    return report($journal, $stoppedBy);
}

/** Sends the pending batches in turn, up to the first that is not sent; returns how that one ended. */
function sendPending(Wesendall $api, Journal $journal): ?string
{
    foreach ($journal->plan['batches'] as $index => $batch) {
        if ($batch['state'] !== 'pending') {
            continue;
        }
        $journal->mark($index, 'sending');
        try {
            $api->send($batch['numbers'], $journal->plan['message']);
        } catch (CallFailed $failure) {
            $journal->mark($index, $failure->outcome === 'failed' ? 'pending' : $failure->outcome, $failure->apiCode);
            note('batch ' . ($index + 1) . " is {$failure->outcome}: {$failure->getMessage()}");
            return $failure->outcome;
        }
        $journal->mark($index, 'sent');
    }
    return null;
}

/** Prints the counts and gives the exit code. */
function report(Journal $journal, ?string $stoppedBy): int
{
    $counts = [];
    foreach (['sent', 'refused', 'unknown', 'pending'] as $state) {
        $counts[$state] = $journal->count($state);
        note("$state: " . count($journal->numbersIn($state)) . " people in $counts[$state] batches");
    }
    $status = match (true) {
        $counts['unknown'] > 0 => 'unknown',
        $stoppedBy !== null => $stoppedBy,
        $counts['refused'] > 0 => 'refused',
        default => 'sent',
    };
    echo toJson(['status' => $status] + $counts), "\n";
    return ['sent' => 0, 'unknown' => 3][$status] ?? 1;
}

function stop(string $why): int
{
    note("stopped: $why");
    echo toJson(['status' => 'stopped']), "\n";
    return 1;
}

/** Reads the list: the numbers to send to, and what was dropped and why. */
function readList(string $path, array $stopped): array
{
    $people = [];
    $dropped = [];
    foreach (linesOf($path) as $index => $line) {
        $number = e164($line);
        $reason = match (true) {
            $number === null => 'not a number',
            isset($stopped[$number]) => 'said stop',
            isset($people[$number]) => 'duplicate',
            default => null,
        };
        if ($reason === null) {
            $people[$number] = $number;
        } else {
            $dropped[] = ['line' => $index + 1, 'number' => $line, 'reason' => $reason];
        }
    }
    return [array_values($people), $dropped];
}

/** @return array<string, true> the numbers that said stop */
function stopped(): array
{
    $stopped = [];
    foreach (getenv('BULK_STOP') ? linesOf(getenv('BULK_STOP')) : [] as $index => $line) {
        $number = e164($line) ?? throw new RuntimeException('BULK_STOP has no number in line ' . $index + 1);
        $stopped[$number] = true;
    }
    return $stopped;
}

/** @return array<int, string> the lines that are not blank, by their index */
function linesOf(string $path): array
{
    $text = preg_replace('/^\xEF\xBB\xBF/', '', readText($path));
    return array_filter(array_map(trim(...), preg_split('/\r\n|\r|\n/', $text)), fn (string $line) => $line !== '');
}

/** E.164, or null for what is no number. */
function e164(string $input): ?string
{
    $number = preg_replace('/[\s\p{Zs}\p{Pd}.()\[\]]+/u', '', $input) ?? '';
    $number = preg_replace('/^00/', '+', $number);
    $number = preg_replace('/^0?(7[0-9]{8})$/D', '+256$1', $number);
    $number = preg_replace('/^(256[0-9]{9})$/D', '+$1', $number);
    return preg_match('/^\+(256[0-9]{9}|(?!256)[1-9][0-9]{6,14})$/D', $number) ? $number : null;
}

function unitsOf(string $message): int
{
    $utf16 = preg_match('//u', $message) ? iconv('UTF-8', 'UTF-16LE', $message) : false;
    $length = $utf16 === false ? 0 : intdiv(strlen($utf16), 2);
    if ($length < 1 || $length > LONGEST_TEXT) {
        throw new InvalidArgumentException('the message is to be UTF-8, of 1 to ' . LONGEST_TEXT . ' UTF-16 code units');
    }
    return (int) ceil($length / UNIT);
}

/** @param list<string> $numbers */
function pendingBatches(array $numbers, int $size): array
{
    $batch = fn (array $chunk) => ['state' => 'pending', 'code' => null, 'at' => null, 'numbers' => $chunk];
    return array_map($batch, array_chunk($numbers, $size));
}

function batchSize(): int
{
    $size = filter_var(setting('BULK_BATCH', (string) LARGEST_BATCH), FILTER_VALIDATE_INT);
    if ($size === false || $size < 1 || $size > LARGEST_BATCH) {
        throw new InvalidArgumentException('BULK_BATCH is to be 1 to ' . LARGEST_BATCH);
    }
    return $size;
}

function readText(string $path): string
{
    $text = is_file($path) ? file_get_contents($path) : false;
    return $text !== false ? $text : throw new RuntimeException("cannot read $path");
}

function toJson(array $value, int $flags = 0): string
{
    $flags |= JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
    return json_encode($value, $flags);
}

function setting(string $name, ?string $default = null): string
{
    return getenv($name) ?: $default ?? throw new InvalidArgumentException("set $name");
}

function note(string $text): void
{
    fwrite(STDERR, "bulk: $text\n");
}

function main(array $arguments): int
{
    $api = new Wesendall();
    return match ([$arguments[0] ?? '', count($arguments)]) {
        ['plan', 4] => plan($api, $arguments[1], $arguments[2], $arguments[3]),
        ['send', 3] => send($api, $arguments[1], $arguments[2]),
        default => throw new InvalidArgumentException('usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST'),
    };
}

ini_set('display_errors', 'stderr');
try {
    exit(main(array_slice($argv, 1)));
} catch (Throwable $error) {
    note(($error instanceof CallFailed ? "{$error->outcome}: " : '') . $error->getMessage());
    exit(1);
}
