<?php
// Written from the prompt alone.
//
// One-time codes by SMS through Wesendall.
//   otp request NUMBER       sends a new six-digit code
//   otp verify NUMBER CODE   judges what a person typed in
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, OTP_STORE, OTP_KEY;
// optional: WESENDALL_BASE_URL, OTP_NOW (Unix seconds), OTP_ASKER (address or account that asks).
declare(strict_types=1);

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const CODE_LIFE = 5 * MINUTE;
const MAX_WRONG = 5;
const NUMBER_ASKS_AN_HOUR = 5;
const ASKER_ASKS_AN_HOUR = 10;
const LEAST_DAY_CODES = 20; // what counts as a day's codes while little has been sent

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

    public function sendToOne(string $number, string $message): mixed
    {
        $body = ['walletId' => $this->walletId, 'message' => $message, 'recipient' => $number];
        return $this->call('/api/v1/sms/send', $body);
    }

    /** GETs, or POSTs the body to one recipient. Returns `data`, or the whole answer where there is none. */
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
            : $status === 502 && $code === 'send_failed'; // refunded, and to one recipient
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

/** The state: a JSON file, changed under a lock and replaced in one step. */
final class Store
{
    public function __construct(private readonly string $path)
    {
    }

    /** Gives the state to $change by reference, keeps what it makes of it, and returns its answer. */
    public function change(callable $change): mixed
    {
        $lock = fopen("$this->path.lock", 'c');
        if ($lock === false || !flock($lock, LOCK_EX)) {
            throw new RuntimeException('cannot lock the store');
        }
        $state = ['numbers' => [], 'askers' => [], 'balance_read' => null];
        if (is_file($this->path)) {
            $state = json_decode((string) file_get_contents($this->path), true, 512, JSON_THROW_ON_ERROR);
        }
        $answer = $change($state);
        $text = json_encode($state, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT) . "\n";
        $new = "$this->path.new";
        $file = fopen($new, 'w');
        if ($file === false || !chmod($new, 0600) || fwrite($file, $text) !== strlen($text)
            || !fsync($file) || !fclose($file) || !rename($new, $this->path)) {
            throw new RuntimeException('cannot write the store');
        }
        fclose($lock);
        return $answer;
    }
}

/** @return array{string, ?string} the status and the API's error code */
function requestCode(Wesendall $api, Store $store, string $key, string $input, int $now): array
{
    $number = ugandanNumber($input);
    if ($number === null) {
        return ['invalid', null];
    }
    $code = sprintf('%06d', random_int(0, 999_999));
    $id = bin2hex(random_bytes(8));
    $asker = getenv('OTP_ASKER') ?: null;
    $asker = $asker === null ? null : hash_hmac('sha256', "asker:$asker", $key);

    // The code is kept, as `sending`, before the call: after a crash it stays valid, as an unknown one does.
    $admitted = $store->change(function (array &$state) use ($number, $code, $id, $asker, $key, $now): bool {
        forgetOld($state, $now);
        $asked = $state['numbers'][$number]['asked'] ?? [];
        $askerAsked = $asker === null ? [] : $state['askers'][$asker] ?? [];
        if (since($asked, $now - MINUTE) >= 1 || since($asked, $now - HOUR) >= NUMBER_ASKS_AN_HOUR
            || since($askerAsked, $now - HOUR) >= ASKER_ASKS_AN_HOUR) {
            return false;
        }
        if ($asker !== null) {
            $state['askers'][$asker] = array_slice([...$askerAsked, $now], -ASKER_ASKS_AN_HOUR);
        }
        $state['numbers'][$number] = [
            'id' => $id,
            'hash' => hash_hmac('sha256', "code:$number:$code", $key),
            'expires' => $now + CODE_LIFE,
            'wrong' => 0,
            'outcome' => 'sending',
            'asked' => array_slice([...$asked, $now], -24 * NUMBER_ASKS_AN_HOUR),
        ];
        return true;
    });
    if (!$admitted) {
        return ['limited', null];
    }

    $status = 'sent';
    $apiCode = null;
    try {
        $api->sendToOne($number, "Your App code is $code. It expires in 5 minutes. Tell it to nobody.");
    } catch (CallFailed $failure) {
        $status = $failure->outcome;
        $apiCode = $failure->apiCode;
        $tell = $status === 'unknown' ? 'the code may arrive; ask again after a minute' : 'no code was sent';
        note("$status: $tell ({$failure->getMessage()})");
    }
    $store->change(function (array &$state) use ($number, $id, $status): void {
        if (($state['numbers'][$number]['id'] ?? null) !== $id) {
            return; // a later request has replaced this code
        }
        $state['numbers'][$number]['outcome'] = $status;
        if ($status === 'refused' || $status === 'failed') {
            $state['numbers'][$number]['hash'] = null;
        }
    });
    return [$status, $apiCode];
}

function verifyCode(Store $store, string $key, string $input, string $code, int $now): string
{
    $number = ugandanNumber($input); // null has no code: `ended`
    return $store->change(function (array &$state) use ($number, $code, $key, $now): string {
        $kept = $state['numbers'][$number] ?? null;
        if (($kept['hash'] ?? null) === null || $kept['wrong'] >= MAX_WRONG) {
            return 'ended';
        }
        if ($now >= $kept['expires']) {
            return 'expired';
        }
        if (hash_equals($kept['hash'], hash_hmac('sha256', "code:$number:$code", $key))) {
            $state['numbers'][$number]['hash'] = null;
            return 'right';
        }
        $state['numbers'][$number]['wrong']++;
        return 'wrong';
    });
}

/** Reads the balance at most once in an hour, and warns when it pays for fewer than a day's codes. */
function watchBalance(Wesendall $api, Store $store, int $now): void
{
    $codes = $store->change(function (array &$state) use ($now): ?int {
        $last = $state['balance_read'];
        if ($last !== null && $last <= $now && $now - $last < HOUR) {
            return null;
        }
        $state['balance_read'] = $now;
        return array_sum(array_map(fn (array $kept) => since($kept['asked'], $now - DAY), $state['numbers']));
    });
    if ($codes === null) {
        return;
    }
    $codes = max($codes, LEAST_DAY_CODES);
    try {
        $wallet = $api->balance();
        if ($wallet['balance'] < $codes * $wallet['cost_per_sms']) {
            note("the balance, UGX {$wallet['balance']}, pays for fewer than $codes codes: top the wallet up");
        }
    } catch (CallFailed $failure) {
        note("the balance could not be read: {$failure->getMessage()}");
    }
}

/** E.164, or null for what is no Ugandan number. */
function ugandanNumber(string $input): ?string
{
    $number = preg_replace('/[\s\p{Zs}\p{Pd}.()\[\]]+/u', '', $input) ?? '';
    $number = preg_replace('/^00/', '+', $number);
    $number = preg_replace('/^0?(7[0-9]{8})$/D', '+256$1', $number);
    $number = preg_replace('/^(256[0-9]{9})$/D', '+$1', $number);
    return preg_match('/^\+256[0-9]{9}$/D', $number) ? $number : null;
}

/** @param list<int> $times */
function since(array $times, int $start): int
{
    return count(array_filter($times, fn (int $time) => $time > $start));
}

/** Drops the numbers and the askers that have asked for nothing within a day. */
function forgetOld(array &$state, int $now): void
{
    $state['numbers'] = array_filter($state['numbers'], fn (array $kept) => since($kept['asked'], $now - DAY) > 0);
    $state['askers'] = array_filter($state['askers'], fn (array $asked) => since($asked, $now - DAY) > 0);
}

function setting(string $name, ?string $default = null): string
{
    return getenv($name) ?: $default ?? throw new InvalidArgumentException("set $name");
}

function note(string $text): void
{
    fwrite(STDERR, "otp: $text\n");
}

function main(array $arguments): int
{
    $api = new Wesendall();
    $store = new Store(setting('OTP_STORE'));
    $key = setting('OTP_KEY');
    $now = setting('OTP_NOW', (string) time());
    $now = ctype_digit($now) ? (int) $now : throw new InvalidArgumentException('OTP_NOW is not in Unix seconds');
    [$status, $apiCode] = match ([$arguments[0] ?? '', count($arguments)]) {
        ['request', 2] => requestCode($api, $store, $key, $arguments[1], $now),
        ['verify', 3] => [verifyCode($store, $key, $arguments[1], trim($arguments[2]), $now), null],
        default => throw new InvalidArgumentException('usage: otp request NUMBER | otp verify NUMBER CODE'),
    };
    echo json_encode(['status' => $status, 'code' => $apiCode], JSON_THROW_ON_ERROR), "\n";
    if ($status === 'sent') {
        watchBalance($api, $store, $now);
    }
    return match ($status) {
        'sent', 'right' => 0,
        'unknown' => 3,
        default => 1,
    };
}

ini_set('display_errors', 'stderr');
try {
    exit(main(array_slice($argv, 1)));
} catch (Throwable $error) {
    note($error->getMessage());
    exit(1);
}
