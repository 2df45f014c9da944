<?php
// Written from the generated prompt alone (use case bulk, PHP, no framework).
//
// One SMS to many people, over Wesendall: completely, once, and within an agreed price.
//
//   php bulk.php plan LIST MESSAGE JOURNAL    writes JOURNAL, sends nothing; prints one JSON line
//                                             {people, units, cost, balance, dropped}
//   php bulk.php send JOURNAL COST            sends what is pending; prints one JSON line
//                                             {status, sent, refused, unknown, pending}
//
// `units` is for each person, `balance` the wallet's now, `dropped` a list of {line, number,
// reason}. `send` exits 0 when all batches are sent, 3 when any is unknown, else 1; it prints
// {"status": "stopped"} and exits 1 when COST, the price or the balance forbids it to begin.
// The same facts, for a person, are on stderr.
//
// A refused or unknown batch is never sent again by itself. Whoever has looked at the history and
// the balance may set its `state` in the journal to `sent`, or to `pending` to send it anew.
//
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID; if wanted
// WESENDALL_BASE_URL, BULK_BATCH (1 to 500), and BULK_STOP, a file with the number of each
// person who said stop, one a line.
declare(strict_types=1);

const MOST_IN_BATCH = 500;
const LONGEST_MESSAGE = 1600;
const UNIT_LENGTH = 160;

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

/** @return array<int, string> the lines that are not blank, by their number from 1 */
function readLines(string $path): array
{
    $lines = preg_split('/\r\n|\r|\n/', preg_replace('/^\xEF\xBB\xBF/', '', file_get_contents($path)));
    $lines = array_map('trim', array_combine(range(1, count($lines)), $lines));
    return array_filter($lines, static fn (string $line): bool => $line !== '');
}

/** The billed units of a text, for each person. */
function unitsOf(string $message): int
{
    if (!preg_match('//u', $message)) {
        throw new RuntimeException('the message is not UTF-8');
    }
    $length = intdiv(strlen(iconv('UTF-8', 'UTF-16LE', $message)), 2);
    if ($length < 1 || $length > LONGEST_MESSAGE) {
        throw new RuntimeException("the message has $length UTF-16 code units; it may have 1 to " . LONGEST_MESSAGE);
    }
    return (int) ceil($length / UNIT_LENGTH);
}

function batchSize(): int
{
    $size = filter_var(setting('BULK_BATCH', (string) MOST_IN_BATCH), FILTER_VALIDATE_INT, [
        'options' => ['min_range' => 1, 'max_range' => MOST_IN_BATCH],
    ]);
    return $size !== false ? $size : throw new RuntimeException('BULK_BATCH must be 1 to ' . MOST_IN_BATCH);
}

function printLine(array $line): void
{
    echo json_encode($line, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

// ---- The journal ------------------------------------------------------------

/** What is to be sent, and what became of it: on disk before each call and after it. */
final class Journal
{
    private const STATES = ['pending', 'sending', 'sent', 'refused', 'unknown'];

    /** @param resource $lock held for as long as this object lives */
    private function __construct(private readonly string $path, private array $content, private readonly mixed $lock)
    {
    }

    /** @param list<string> $numbers */
    public static function create(string $path, string $message, array $numbers, int|float $price, array $dropped): void
    {
        $text = self::encode([
            'message' => $message,
            'people' => count($numbers),
            'units' => unitsOf($message),
            'cost_per_sms' => $price,
            'cost' => unitsOf($message) * count($numbers) * $price,
            'dropped' => $dropped,
            'batches' => self::cut($numbers),
        ]);
        self::write(fopen($path, 'x'), $path, $text); // x: never over a journal that is there
    }

    public static function open(string $path): self
    {
        if (!is_file($path)) {
            throw new RuntimeException("there is no journal $path");
        }
        $lock = fopen("$path.lock", 'c');
        if (!flock($lock, LOCK_EX | LOCK_NB)) {
            throw new RuntimeException('another run is sending this journal');
        }
        $content = json_decode(file_get_contents($path), true, flags: JSON_THROW_ON_ERROR);
        $journal = new self($path, $content, $lock);
        $journal->check();
        return $journal;
    }

    public function message(): string
    {
        return $this->content['message'];
    }

    public function price(): int|float
    {
        return $this->content['cost_per_sms'];
    }

    public function people(?string $state = null): int
    {
        return count(self::numbersOf($this->inState($state)));
    }

    /** The cost of all batches, or of those in one state, at the plan's price. */
    public function cost(?string $state = null): int|float
    {
        return unitsOf($this->message()) * $this->people($state) * $this->price();
    }

    /** After a crash: what has no outcome is unknown. And what is pending is cut to today's size. */
    public function resume(): void
    {
        foreach (array_keys($this->inState('sending')) as $i) {
            $this->content['batches'][$i]['state'] = 'unknown';
        }
        $pending = $this->inState('pending');
        $this->content['batches'] = [
            ...array_values(array_diff_key($this->content['batches'], $pending)),
            ...self::cut(self::numbersOf($pending)),
        ];
        $this->save();
    }

    /** @return array<int, array{state: string, numbers: non-empty-list<string>}> */
    public function inState(?string $state): array
    {
        return array_filter(
            $this->content['batches'],
            static fn (array $batch): bool => $state === null || $batch['state'] === $state,
        );
    }

    public function mark(int $batch, string $state, array $more = []): void
    {
        $numbers = $this->content['batches'][$batch]['numbers'];
        $this->content['batches'][$batch] = ['state' => $state, 'numbers' => $numbers] + $more;
        $this->save();
    }

    private function check(): void
    {
        $numbers = self::numbersOf($this->content['batches']);
        $valid = array_filter($numbers, static fn (string $number): bool => normalise($number) === $number);
        $states = array_column($this->content['batches'], 'state');
        if (
            $valid !== $numbers || array_unique($numbers) !== $numbers
            || array_diff($states, self::STATES) !== [] || count($states) !== count($this->content['batches'])
            || count($numbers) !== $this->content['people'] || $this->cost() != $this->content['cost']
        ) {
            throw new RuntimeException('the journal contradicts itself');
        }
    }

    /** @return list<string> */
    private static function numbersOf(array $batches): array
    {
        return array_merge(...array_values(array_column($batches, 'numbers')));
    }

    /** @param list<string> $numbers */
    private static function cut(array $numbers): array
    {
        return array_map(
            static fn (array $chunk): array => ['state' => 'pending', 'numbers' => $chunk],
            $numbers === [] ? [] : array_chunk($numbers, batchSize()),
        );
    }

    private static function encode(array $content): string
    {
        return json_encode(
            $content,
            JSON_THROW_ON_ERROR | JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE,
        ) . "\n";
    }

    private function save(): void
    {
        $new = "$this->path.new";
        self::write(fopen($new, 'w'), $new, self::encode($this->content));
        rename($new, $this->path);
    }

    /** @param resource $file */
    private static function write($file, string $path, string $text): void
    {
        chmod($path, 0600);
        if (fwrite($file, $text) !== strlen($text) || !fsync($file)) {
            throw new RuntimeException("cannot write $path");
        }
        fclose($file);
    }
}

// ---- The two commands -------------------------------------------------------

/** @return array{list<string>, list<array{line: int, number: string, reason: string}>} */
function readPeople(string $list): array
{
    $stopped = [];
    $stopList = setting('BULK_STOP', '');
    foreach ($stopList === '' ? [] : readLines($stopList) as $line => $raw) {
        $number = normalise($raw) ?? throw new RuntimeException("$stopList, line $line is no Ugandan number: $raw");
        $stopped[$number] = true;
    }

    $people = [];
    $dropped = [];
    foreach (readLines($list) as $line => $raw) {
        $number = normalise($raw);
        $reason = match (true) {
            $number === null => 'invalid',
            isset($stopped[$number]) => 'said stop',
            isset($people[$number]) => 'duplicate',
            default => null,
        };
        if ($reason === null) {
            $people[$number] = $number;
        } else {
            $dropped[] = ['line' => $line, 'number' => $raw, 'reason' => $reason];
        }
    }
    return [array_values($people), $dropped];
}

function plan(Wesendall $api, string $list, string $message, string $path): int
{
    $units = unitsOf($message);
    if (file_exists($path)) {
        throw new RuntimeException("$path is there already");
    }
    [$people, $dropped] = readPeople($list);
    [$balance, $price] = $api->balance();
    $cost = $units * count($people) * $price;
    if ($people !== []) {
        Journal::create($path, $message, $people, $price, $dropped);
    }

    printLine([
        'people' => count($people),
        'units' => $units,
        'cost' => $cost,
        'balance' => $balance,
        'dropped' => $dropped,
    ]);
    foreach ($dropped as $drop) {
        warn("dropped: line {$drop['line']}, {$drop['number']}: {$drop['reason']}");
    }
    if (setting('BULK_STOP', '') === '') {
        warn('BULK_STOP is not set: nobody was dropped for having said stop.');
    }
    warn(sprintf(
        '%d people, %d units each at UGX %s: UGX %s. The balance is UGX %s, and UGX %s after it.',
        count($people),
        $units,
        $price,
        $cost,
        $balance,
        $balance - $cost,
    ));
    if ($people === []) {
        warn('Nobody is left: no journal was written.');
        return 1;
    }
    if ($balance < $cost) {
        warn('That is not enough: top the wallet up before sending.');
    }
    return 0;
}

function stop(string $why): int
{
    printLine(['status' => 'stopped']);
    warn("Nothing was sent: $why");
    return 1;
}

function send(Wesendall $api, string $path, string $agreed): int
{
    $journal = Journal::open($path);
    if (!is_numeric($agreed) || (float) $agreed !== (float) $journal->cost()) {
        return stop("the plan costs UGX {$journal->cost()}.");
    }
    $journal->resume();

    $failure = null;
    if ($journal->inState('pending') !== []) {
        try {
            [$balance, $price] = $api->balance();
            if ($price != $journal->price()) {
                return stop("a unit costs UGX $price now, not UGX {$journal->price()}: agree on a new plan.");
            }
            if ($balance < $journal->cost('pending')) {
                return stop("the balance is UGX $balance, and what is pending costs UGX {$journal->cost('pending')}.");
            }
            $failure = sendPending($api, $journal);
        } catch (WesendallError $error) {
            warn('The balance could not be read: ' . $error->getMessage());
            $failure = $error->outcome;
        }
    }
    return report($api, $journal, $failure);
}

/** Sends batch after batch up to the first that is not sent, whose outcome it returns. */
function sendPending(Wesendall $api, Journal $journal): ?string
{
    foreach ($journal->inState('pending') as $i => $batch) {
        $journal->mark($i, 'sending');
        try {
            $answer = $api->send($journal->message(), $batch['numbers']);
        } catch (WesendallError $error) {
            $state = $error->outcome === 'failed' ? 'pending' : $error->outcome;
            $journal->mark($i, $state, ['why' => $error->getMessage()]);
            warn(sprintf('Batch %d: %s.%s', $i + 1, $error->getMessage(), match ($error->outcome) {
                'failed' => ' Nothing was sent: run this again later.',
                'refused' => ' Nothing stays charged, but some may have got it: a person looks at the history, and decides.',
                default => ' It may have been sent: look at the history and the balance. What is not there yet proves nothing.',
            }));
            return $error->outcome;
        }
        $journal->mark($i, 'sent', ['answer' => $answer]);
    }
    return null;
}

function report(Wesendall $api, Journal $journal, ?string $failure): int
{
    $counts = [];
    foreach (['sent', 'refused', 'unknown', 'pending'] as $state) {
        $counts[$state] = count($journal->inState($state));
    }
    $status = match (true) {
        $counts['unknown'] > 0 => 'unknown',
        $failure !== null => $failure,
        $counts['refused'] > 0 => 'refused',
        default => 'sent',
    };
    printLine(['status' => $status] + $counts);

    try {
        $balance = 'UGX ' . $api->balance()[0];
    } catch (WesendallError $error) {
        $balance = 'not to be read (' . $error->getMessage() . ')';
    }
    warn(sprintf('%d people, %d of them in batches sent. The balance is %s.', $journal->people(), $journal->people('sent'), $balance));
    return match (true) {
        $counts['unknown'] > 0 => 3,
        $status === 'sent' => 0,
        default => 1,
    };
}

/** @param list<string> $arguments */
function main(array $arguments): int
{
    $command = array_shift($arguments);
    $usage = 'usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST';
    return match ([$command, count($arguments)]) {
        ['plan', 3] => plan(Wesendall::fromEnvironment(), ...$arguments),
        ['send', 2] => send(Wesendall::fromEnvironment(), ...$arguments),
        default => throw new RuntimeException($usage),
    };
}

set_error_handler(static function (int $level, string $text): never {
    throw new ErrorException($text, 0, $level);
});
try {
    exit(main(array_slice($argv, 1)));
} catch (Throwable $error) {
    warn('bulk: ' . $error->getMessage()); // the message alone: a trace may hold the secret
    exit(1);
}
