<?php
// Written from the generated prompt alone (use case otp, PHP, no framework).
//
// One-time codes by SMS, over Wesendall.
//
//   php otp.php request NUMBER        sent, refused, unknown, failed, limited or invalid
//   php otp.php verify NUMBER CODE    right, wrong, expired or ended
//
// Prints one JSON line {"status", "code"}; `code` is the API's error code or null. Exits 0 for
// sent and right, 3 for unknown, else 1. A program that cannot start says why on stderr alone.
//
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, OTP_STORE (a JSON
// file) and OTP_KEY (the hash key); if wanted WESENDALL_BASE_URL, OTP_NOW (Unix seconds), and
// OTP_ASKER, the address or account that asks: whoever calls this for strangers must set it.
declare(strict_types=1);

const CODE_LIFE = 5 * 60;
const MOST_WRONG = 5;
const BETWEEN_CODES = 60;
const NUMBER_PER_HOUR = 5;
const ASKER_PER_HOUR = 10;
const BETWEEN_BALANCES = 3600;
const LEAST_DAILY_CODES = 20; // what a day may take, however quiet the last one was
const HOUR = 3600;
const DAY = 24 * HOUR;

// ---- The API ----------------------------------------------------------------

/** A call that did not end well. It never carries the server's text, which may repeat what was sent. */
final class WesendallError extends RuntimeException
{
    /**
     * @param string  $outcome    refused, failed (nothing happened) or unknown (it may have)
     * @param ?string $reason     the API's error code, if it gave one
     * @param bool    $passing    whether a GET may be repeated
     * @param float   $retryAfter the seconds the server asked us to wait
     */
    public function __construct(
        public readonly string $outcome,
        public readonly ?string $reason,
        string $detail,
        public readonly bool $passing = false,
        public readonly float $retryAfter = 0.0,
    ) {
        parent::__construct("$outcome: " . ($reason ?? $detail));
    }
}

final class Wesendall
{
    /** The documented refusals: nothing was done, and nothing stays charged. */
    private const REFUSALS = [
        'invalid_credentials' => 401,
        'key_revoked' => 401,
        'wallet_forbidden' => 403,
        'insufficient_balance' => 402,
        'validation_failed' => 422,
        'send_failed' => 502,
    ];
    private const UNCONNECTED = [CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT];
    private const LOST = [CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE];
    private const PASSING = [429, 500, 502, 503, 504];
    private const LONGEST_WAIT = 60.0;

    private function __construct(
        private readonly string $baseUrl,
        private readonly string $walletId,
        private readonly string $key,
        #[SensitiveParameter] private readonly string $secret,
    ) {
    }

    public static function fromEnvironment(): self
    {
        return new self(
            rtrim(setting('WESENDALL_BASE_URL', 'https://www.wesendall.com'), '/'),
            setting('WESENDALL_WALLET_ID'),
            setting('WESENDALL_API_KEY'),
            setting('WESENDALL_API_SECRET'),
        );
    }

    /** @return array{int|float, int|float} the balance, and the price of one unit */
    public function balance(): array
    {
        try {
            $data = $this->get('/api/v1/account/balance');
        } catch (WesendallError $error) {
            if (!$error->passing || $error->retryAfter > self::LONGEST_WAIT) {
                throw $error;
            }
            self::pause($error->retryAfter);
            $data = $this->get('/api/v1/account/balance');
        }
        $balance = $data['balance'] ?? null;
        $price = $data['cost_per_sms'] ?? null;
        if (!(is_int($balance) || is_float($balance)) || !(is_int($price) || is_float($price)) || $price <= 0) {
            throw new WesendallError('failed', null, 'the balance cannot be read from the answer');
        }
        return [$balance, $price];
    }

    /**
     * Sends one text. A send to one number is repeated once, after a refunded `send_failed`; nothing else ever is.
     *
     * @param non-empty-list<string> $numbers E.164, each once
     */
    public function send(#[SensitiveParameter] string $message, array $numbers): mixed
    {
        $single = count($numbers) === 1;
        $body = [
            'walletId' => $this->walletId,
            'message' => $message,
            'recipient' => $single ? $numbers[0] : $numbers,
        ];
        try {
            return $this->post('/api/v1/sms/send', $body);
        } catch (WesendallError $error) {
            if (!$single || $error->outcome !== 'refused' || $error->reason !== 'send_failed') {
                throw $error;
            }
            self::pause();
            return $this->post('/api/v1/sms/send', $body);
        }
    }

    private function get(string $path): mixed
    {
        return $this->call("$path?" . http_build_query(['walletId' => $this->walletId]), [CURLOPT_TIMEOUT => 30], 'failed');
    }

    private function post(string $path, #[SensitiveParameter] array $body): mixed
    {
        return $this->call($path, [
            CURLOPT_TIMEOUT => 45,
            CURLOPT_POSTFIELDS => json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE),
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Expect:'],
        ], 'unknown');
    }

    /** One request, never repeated here. $doubt is the outcome when the answer settles nothing. */
    private function call(string $path, #[SensitiveParameter] array $options, string $doubt): mixed
    {
        $retryAfter = 0.0;
        $curl = curl_init($this->baseUrl . $path);
        curl_setopt_array($curl, $options + [
            CURLOPT_USERNAME => $this->key,
            CURLOPT_PASSWORD => $this->secret,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_FRESH_CONNECT => true, // libcurl repeats a request by itself on a stale connection
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use (&$retryAfter): int {
                if (preg_match('/^retry-after:\s*(.+?)\s*$/i', $line, $match)) {
                    $retryAfter = is_numeric($match[1])
                        ? max(0.0, (float) $match[1])
                        : max(0.0, (float) ((strtotime($match[1]) ?: time()) - time()));
                }
                return strlen($line);
            },
        ]);
        $text = curl_exec($curl);
        if ($text === false) {
            $errno = curl_errno($curl);
            $outcome = in_array($errno, self::UNCONNECTED, true) ? 'failed' : $doubt;
            throw new WesendallError($outcome, null, curl_strerror($errno), in_array($errno, self::LOST, true));
        }

        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $answer = json_decode($text, true);
        if ($status >= 200 && $status < 300 && self::isSuccess($answer, $doubt === 'unknown')) {
            return $answer['data'] ?? $answer;
        }
        $detail = is_array($answer['error'] ?? null) ? $answer['error'] : $answer;
        $code = is_string($detail['code'] ?? null) ? $detail['code'] : null;
        $refused = $code !== null && (self::REFUSALS[$code] ?? null) === $status;
        throw new WesendallError(
            $refused ? 'refused' : $doubt,
            $code,
            "HTTP $status",
            in_array($status, self::PASSING, true),
            $retryAfter,
        );
    }

    private static function isSuccess(mixed $answer, bool $spends): bool
    {
        if (!is_array($answer) || isset($answer['error'])) {
            return false;
        }
        $success = array_key_exists('success', $answer) ? $answer['success'] : true;
        return $spends ? $success === true : $success !== false;
    }

    private static function pause(float $more = 0.0): void
    {
        usleep((int) (random_int(250_000, 750_000) + $more * 1_000_000));
    }
}

// ---- Numbers, settings, files -----------------------------------------------

/** E.164 for a Ugandan number, or null. */
function normalise(string $number): ?string
{
    $number = preg_replace('/[\s\p{Z}\p{Pd}.()\[\]{}]+/u', '', $number) ?? ''; // null: not UTF-8
    $number = preg_replace(
        ['/^00/', '/^0([0-9]{9})$/D', '/^(7[0-9]{8})$/D', '/^(256[0-9]{9})$/D'],
        ['+', '+256$1', '+256$1', '+$1'],
        $number,
    );
    return preg_match('/^\+256[0-9]{9}$/D', $number) ? $number : null;
}

function setting(string $name, ?string $default = null): string
{
    $value = getenv($name);
    return is_string($value) && $value !== '' ? $value : $default ?? throw new RuntimeException("set $name");
}

function warn(string $text): void
{
    fwrite(STDERR, "$text\n");
}

/** The JSON file with the codes and the times of asking; every change is made under a lock. */
final class Store
{
    public function __construct(private readonly string $path)
    {
    }

    /**
     * @template T
     * @param callable(array &$state): T $change
     * @return T
     */
    public function change(callable $change): mixed
    {
        $lock = fopen("$this->path.lock", 'c');
        flock($lock, LOCK_EX);
        try {
            $text = is_file($this->path) ? file_get_contents($this->path) : '';
            $state = $text === '' ? [] : json_decode($text, true, flags: JSON_THROW_ON_ERROR);
            $state += ['codes' => [], 'numbers' => [], 'askers' => [], 'balance_read' => null];
            $result = $change($state);
            $this->write(json_encode($state, JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT));
            return $result;
        } finally {
            fclose($lock);
        }
    }

    private function write(string $text): void
    {
        $new = "$this->path.new";
        $file = fopen($new, 'w');
        chmod($new, 0600);
        if (fwrite($file, $text) !== strlen($text) || !fsync($file)) {
            throw new RuntimeException("cannot write $new");
        }
        fclose($file);
        rename($new, $this->path);
    }
}

// ---- One-time codes ---------------------------------------------------------

final class OneTimeCodes
{
    public function __construct(
        private readonly Wesendall $api,
        private readonly Store $store,
        #[SensitiveParameter] private readonly string $key,
        private readonly int $now,
    ) {
    }

    /** @return array{string, ?string} the status, and the API's error code */
    public function request(string $number, ?string $asker): array
    {
        $number = normalise($number);
        if ($number === null) {
            return ['invalid', null];
        }
        $code = sprintf('%06d', random_int(0, 999_999));
        $hash = $this->hash($number, $code);
        // The code is kept before the call. A crash leaves it as `sending`: valid, as after unknown.
        if (!$this->store->change(fn (array &$state): bool => $this->admit($state, $number, $asker, $hash))) {
            return ['limited', null];
        }

        $reason = null;
        try {
            // What the API answers is not kept: it may hold the text, and so the code.
            $this->api->send("Your App code is $code. It expires in 5 minutes. Tell it to nobody.", [$number]);
            $outcome = 'sent';
        } catch (WesendallError $error) {
            $outcome = $error->outcome;
            $reason = $error->reason;
            warn(match ($outcome) {
                'unknown' => $error->getMessage() . ': the code may arrive, and stays valid.',
                default => $error->getMessage() . ': no code was sent.',
            });
        }

        $this->store->change(function (array &$state) use ($number, $hash, $outcome): void {
            $entry = &$state['codes'][$number];
            if (($entry['hash'] ?? null) !== $hash) {
                return; // used, ended or replaced in the meantime
            }
            $entry['outcome'] = $outcome;
            if ($outcome === 'refused' || $outcome === 'failed') {
                $entry['hash'] = null;
            }
        });
        return [$outcome, $reason];
    }

    public function verify(string $number, #[SensitiveParameter] string $code): string
    {
        $number = normalise($number);
        if ($number === null) {
            return 'ended'; // there is no code for it
        }
        $hash = $this->hash($number, trim($code));
        return $this->store->change(function (array &$state) use ($number, $hash): string {
            if (!isset($state['codes'][$number]['hash'])) {
                return 'ended';
            }
            $entry = &$state['codes'][$number];
            if ($this->now >= $entry['expires']) {
                return 'expired';
            }
            if (hash_equals($entry['hash'], $hash)) {
                $entry['hash'] = null;
                return 'right';
            }
            $entry['wrong']++;
            if ($entry['wrong'] >= MOST_WRONG) {
                $entry['hash'] = null;
            }
            return 'wrong';
        });
    }

    /** Reads the balance now and then, and warns when it pays for fewer than a day's codes. */
    public function watchBalance(): void
    {
        $daily = $this->store->change(function (array &$state): ?int {
            if ($state['balance_read'] !== null && abs($this->now - $state['balance_read']) < BETWEEN_BALANCES) {
                return null;
            }
            $state['balance_read'] = $this->now;
            return max(LEAST_DAILY_CODES, array_sum(array_map('count', $state['numbers'])));
        });
        if ($daily === null) {
            return;
        }
        try {
            [$balance, $price] = $this->api->balance();
            if ($balance < $daily * $price) {
                warn("The balance, $balance, pays for fewer than a day's codes ($daily at $price): top the wallet up.");
            }
        } catch (WesendallError $error) {
            warn('The balance could not be read: ' . $error->getMessage());
        }
    }

    /** Notes the asking and the new code, unless a limit forbids it. */
    private function admit(array &$state, string $number, ?string $asker, string $hash): bool
    {
        $this->forget($state);
        $asked = $state['numbers'][$number] ?? [];
        $askedBy = $asker === null ? [] : $state['askers'][$asker] ?? [];
        if (
            $this->since($asked, BETWEEN_CODES) >= 1
            || $this->since($asked, HOUR) >= NUMBER_PER_HOUR
            || $this->since($askedBy, HOUR) >= ASKER_PER_HOUR
        ) {
            return false;
        }
        $state['numbers'][$number][] = $this->now;
        if ($asker !== null) {
            $state['askers'][$asker][] = $this->now;
        }
        $state['codes'][$number] = [
            'hash' => $hash,
            'expires' => $this->now + CODE_LIFE,
            'wrong' => 0,
            'outcome' => 'sending',
        ];
        return true;
    }

    /** Drops what is older than a day. */
    private function forget(array &$state): void
    {
        foreach (['numbers', 'askers'] as $kind) {
            $state[$kind] = array_filter(array_map(
                fn (array $times): array => array_values(array_filter($times, fn (int $t): bool => $t > $this->now - DAY)),
                $state[$kind],
            ));
        }
        $state['codes'] = array_filter($state['codes'], fn (array $entry): bool => $entry['expires'] > $this->now - DAY);
    }

    /** @param list<int> $times */
    private function since(array $times, int $seconds): int
    {
        return count(array_filter($times, fn (int $time): bool => $time > $this->now - $seconds));
    }

    private function hash(string $number, #[SensitiveParameter] string $code): string
    {
        return hash_hmac('sha256', "$number:$code", $this->key);
    }
}

function clock(): int
{
    $now = setting('OTP_NOW', (string) time());
    return ctype_digit($now) ? (int) $now : throw new RuntimeException('OTP_NOW must be Unix seconds');
}

/** @param list<string> $arguments */
function main(#[SensitiveParameter] array $arguments): int
{
    $command = array_shift($arguments);
    if ([$command, count($arguments)] !== ['request', 1] && [$command, count($arguments)] !== ['verify', 2]) {
        throw new RuntimeException('usage: otp request NUMBER | otp verify NUMBER CODE');
    }
    $codes = new OneTimeCodes(
        Wesendall::fromEnvironment(),
        new Store(setting('OTP_STORE')),
        setting('OTP_KEY'),
        clock(),
    );

    [$status, $code] = $command === 'request'
        ? $codes->request($arguments[0], setting('OTP_ASKER', '') ?: null)
        : [$codes->verify($arguments[0], $arguments[1]), null];
    echo json_encode(['status' => $status, 'code' => $code], JSON_THROW_ON_ERROR), "\n";
    if ($status === 'sent') {
        $codes->watchBalance();
    }
    return match ($status) {
        'sent', 'right' => 0,
        'unknown' => 3,
        default => 1,
    };
}

set_error_handler(static function (int $level, string $text): never {
    throw new ErrorException($text, 0, $level);
});
try {
    exit(main(array_slice($argv, 1)));
} catch (Throwable $error) {
    warn('otp: ' . $error->getMessage()); // the message alone: a trace may hold the secret or a code
    exit(1);
}
