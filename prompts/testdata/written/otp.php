<?php
// Written from the generated prompt alone (use case otp, PHP, no framework).
// One-time codes by SMS: `otp.php request NUMBER` and `otp.php verify NUMBER CODE`.
declare(strict_types=1);

const LIFETIME = 300; // seconds
const COOLDOWN = 60;
const HOUR = 3600;
const PER_HOUR = 5;
const TRIES = 5;
const REFUSALS = [
    'invalid_credentials' => 401, 'key_revoked' => 401, 'wallet_forbidden' => 403,
    'insufficient_balance' => 402, 'validation_failed' => 422, 'send_failed' => 502,
];

function setting(string $name, ?string $default = null): string
{
    $value = getenv($name);
    return $value !== false && $value !== '' ? $value : $default ?? throw new InvalidArgumentException("set $name");
}

final class WesendallError extends RuntimeException
{
    /** @param string $outcome refused, failed (nothing happened) or unknown (it may have) */
    public function __construct(public readonly string $outcome, public readonly ?string $reason)
    {
        parent::__construct("$outcome: $reason");
    }
}

function post(array $params): void
{
    $curl = curl_init(setting('WESENDALL_BASE_URL', 'https://www.wesendall.com') . '/api/v1/sms/send');
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => json_encode(['walletId' => setting('WESENDALL_WALLET_ID')] + $params, JSON_THROW_ON_ERROR),
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_USERPWD => setting('WESENDALL_API_KEY') . ':' . setting('WESENDALL_API_SECRET'),
        CURLOPT_TIMEOUT => 45,
        CURLOPT_FOLLOWLOCATION => false,
        CURLOPT_RETURNTRANSFER => true,
    ]);
    $text = curl_exec($curl);
    if ($text === false) {
        $unsent = in_array(curl_errno($curl), [CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT], true);
        throw new WesendallError($unsent ? 'failed' : 'unknown', null);
    }
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    $answer = json_decode($text, true);
    if ($status >= 200 && $status < 300 && is_array($answer) && ($answer['success'] ?? true) !== false) {
        return;
    }
    $answer = is_array($answer) ? $answer : [];
    $detail = is_array($answer['error'] ?? null) ? $answer['error'] : $answer;
    $code = is_string($detail['code'] ?? null) ? $detail['code'] : null;
    throw new WesendallError((REFUSALS[$code] ?? 0) === $status ? 'refused' : 'unknown', $code);
}

/** Sends to one number; repeats once after send_failed, and never else. */
function send(string $number, string $message): void
{
    try {
        post(['recipient' => $number, 'message' => $message]);
    } catch (WesendallError $error) {
        if ($error->outcome !== 'refused' || $error->reason !== 'send_failed') {
            throw $error;
        }
        usleep(random_int(250_000, 750_000));
        post(['recipient' => $number, 'message' => $message]);
    }
}

/** A Ugandan number in E.164, or null. */
function e164(string $text): ?string
{
    $digits = preg_replace('/^00/', '+', preg_replace('/[\s\-.()]/', '', $text));
    return preg_match('/^(?:\+?256(\d{9})|0?(7\d{8}))$/D', $digits, $match) ? '+256' . end($match) : null;
}

function save(string $path, array $entries): void
{
    $file = fopen("$path.new", 'w');
    chmod("$path.new", 0600);
    fwrite($file, json_encode((object) $entries, JSON_THROW_ON_ERROR));
    fsync($file);
    fclose($file);
    rename("$path.new", $path);
}

function hashed(string $number, string $code): string
{
    return hash_hmac('sha256', "$number $code", setting('OTP_KEY'));
}

function request(string $path, array $entries, int $now, string $text): array
{
    $number = e164($text);
    if ($number === null) {
        return ['status' => 'invalid'];
    }
    $entry = $entries[$number] ?? ['asked' => []];
    $entry['asked'] = array_values(array_filter($entry['asked'], fn(int $at) => $now - $at < HOUR));
    if (count($entry['asked']) >= PER_HOUR || array_filter($entry['asked'], fn(int $at) => $now - $at < COOLDOWN)) {
        return ['status' => 'limited'];
    }
    $code = sprintf('%06d', random_int(0, 999_999));
    $entry = ['asked' => [...$entry['asked'], $now], 'hash' => hashed($number, $code), 'expires' => $now + LIFETIME, 'wrong' => 0, 'outcome' => 'sending'];
    save($path, [$number => $entry] + $entries); // before the call, so that a crash leaves a trace
    try {
        send($number, "Your App code is $code. It expires in 5 minutes. Tell it to nobody.");
        $result = ['status' => 'sent'];
    } catch (WesendallError $error) {
        $result = ['status' => $error->outcome, 'code' => $error->reason];
        if ($error->outcome !== 'unknown') {
            unset($entry['hash']);
        }
    }
    $entry['outcome'] = $result['status'];
    save($path, [$number => $entry] + $entries);
    return $result;
}

function verify(string $path, array $entries, int $now, string $text, string $code): array
{
    $number = e164($text);
    $entry = $entries[$number] ?? [];
    if (!isset($entry['hash'])) {
        return ['status' => 'ended'];
    }
    if ($now >= $entry['expires']) {
        return ['status' => 'expired'];
    }
    $right = hash_equals($entry['hash'], hashed($number, $code));
    $entry['wrong'] += $right ? 0 : 1;
    if ($right || $entry['wrong'] >= TRIES) {
        unset($entry['hash']);
    }
    save($path, [$number => $entry] + $entries);
    return ['status' => $right ? 'right' : 'wrong'];
}

$path = setting('OTP_STORE');
$now = (int) setting('OTP_NOW', (string) time());
$entries = is_file($path) ? json_decode(file_get_contents($path), true, 512, JSON_THROW_ON_ERROR) : [];
$result = match (true) {
    $argc === 3 && $argv[1] === 'request' => request($path, $entries, $now, $argv[2]),
    $argc === 4 && $argv[1] === 'verify' => verify($path, $entries, $now, $argv[2], $argv[3]),
    default => throw new InvalidArgumentException('usage: otp request NUMBER | otp verify NUMBER CODE'),
};
echo json_encode($result + ['code' => null]), "\n";
exit(['sent' => 0, 'right' => 0, 'unknown' => 3][$result['status']] ?? 1);
