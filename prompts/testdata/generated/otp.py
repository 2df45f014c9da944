#!/usr/bin/env python3
# Written from the generated prompt alone (use case otp, Python, no framework).
"""Send one-time codes by SMS through Wesendall, and verify them.

    otp request NUMBER
    otp verify NUMBER CODE

Prints one JSON line {"status", "code"}; what a person or the operator should
know goes to stderr. Python 3.8+, standard library, Unix (it locks with fcntl).

OTP_STORE  the JSON file that holds the state
OTP_KEY    the key of the hashes
OTP_NOW    the time in Unix seconds, if set
OTP_ASKER  who asks: the client's address or account, if set. All who come
           without one share one limit.
"""
import base64
import contextlib
import email.utils
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import secrets
import sys
import time
import urllib.parse

MESSAGE = "Your App code is {code}. It expires in 5 minutes. Tell it to nobody."
MINUTE, HOUR, DAY = 60, 3600, 86400
LIFETIME = 5 * MINUTE
MOST_TRIES = 5
MOST_PER_HOUR = 5  # for a number
MOST_PER_HOUR_AND_ASKER = 20
BALANCE_EVERY = HOUR
FEWEST_CODES_A_DAY = 20  # a quiet day still needs this much in the wallet


def setting(name):
    return os.environ.get(name) or sys.exit(f"set {name}")


# --- The API -----------------------------------------------------------------

# The documented refusals: nothing was done, and nothing stays charged.
REFUSALS = {
    "invalid_credentials": 401,
    "key_revoked": 401,
    "wallet_forbidden": 403,
    "insufficient_balance": 402,
    "validation_failed": 422,
    "send_failed": 502,
}
GET_TIMEOUT, POST_TIMEOUT = 30, 45
REPEATABLE_GET = {None, 429, 500, 502, 503, 504}  # None: no answer came
LONGEST_RETRY_AFTER = 30


class WesendallError(Exception):
    """outcome: refused, failed (nothing happened) or unknown (it may have).

    code is the API's own, or None. The API's message is left out on purpose:
    it could repeat what was sent, and this text goes to the operator's log.
    """

    def __init__(self, outcome, code, reason, status=None, retry_after=None):
        super().__init__(f"{outcome}: {code or reason}")
        self.outcome, self.code = outcome, code
        self.status, self.retry_after = status, retry_after


class Wesendall:
    """The only part of the program that talks to the API."""

    def __init__(self):
        key, secret = setting("WESENDALL_API_KEY"), setting("WESENDALL_API_SECRET")
        credentials = base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        self._wallet = setting("WESENDALL_WALLET_ID")
        base = os.environ.get("WESENDALL_BASE_URL") or "https://www.wesendall.com"
        self._base = urllib.parse.urlsplit(base)
        if self._base.scheme not in ("http", "https"):
            sys.exit("WESENDALL_BASE_URL must begin with https:// or http://")

    def balance(self):
        """Return the wallet's balance and the cost of one unit."""
        data = self._get("/api/v1/account/balance")
        try:
            balance, price = data["balance"], data["cost_per_sms"]
            if balance >= 0 and price > 0:
                return balance, price
        except (KeyError, TypeError):
            pass
        raise WesendallError("failed", None, "the balance call named no balance or no price")

    def send(self, message, numbers):
        """Send one message; return whatever the API answered, which is not documented."""
        body = json.dumps({"walletId": self._wallet, "message": message, "recipient": numbers})
        try:
            return self._call("POST", "/api/v1/sms/send", body)
        except WesendallError as error:
            refunded = error.outcome == "refused" and error.code == "send_failed"
            if not refunded or len(numbers) != 1:
                raise
        time.sleep(random.uniform(0.25, 0.75))
        return self._call("POST", "/api/v1/sms/send", body)

    def _get(self, path):
        path += "?" + urllib.parse.urlencode({"walletId": self._wallet})
        try:
            return self._call("GET", path)
        except WesendallError as error:
            retry_after = seconds(error.retry_after)
            if error.status not in REPEATABLE_GET or retry_after > LONGEST_RETRY_AFTER:
                raise
        time.sleep(random.uniform(0.25, 0.75) + retry_after)
        return self._call("GET", path)

    def _call(self, method, path, body=None):
        """Make exactly one request. http.client follows no redirect and repeats nothing."""
        spends = method == "POST"
        https = self._base.scheme == "https"
        connect_to = http.client.HTTPSConnection if https else http.client.HTTPConnection
        outcome = "failed"
        try:
            timeout = POST_TIMEOUT if spends else GET_TIMEOUT
            with contextlib.closing(connect_to(self._base.netloc, timeout=timeout)) as connection:
                connection.connect()
                if spends:
                    outcome = "unknown"  # from here on it may happen
                connection.request(method, self._base.path.rstrip("/") + path, body, self._headers)
                response = connection.getresponse()
                status, text = response.status, response.read()
                retry_after = response.getheader("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            raise WesendallError(outcome, None, f"no answer ({type(error).__name__})") from error

        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        members = answer if isinstance(answer, dict) else {}
        success = members.get("success", True)
        done = isinstance(answer, (dict, list)) and members.get("error") is None \
            and (success is True if spends else success is not False)
        if 200 <= status < 300 and done:
            return members.get("data", answer)

        detail = members["error"] if isinstance(members.get("error"), dict) else members
        code = str(detail["code"]) if detail.get("code") else None
        if code in REFUSALS and REFUSALS[code] == status:
            outcome = "refused"
        raise WesendallError(outcome, code, f"HTTP {status}", status, retry_after)


def seconds(retry_after):
    """Read a Retry-After header: seconds or a date; 0 for none or nonsense."""
    if not retry_after:
        return 0
    if re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return int(retry_after)
    try:
        return max(0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0


def e164(text):
    """Return a Ugandan number as +256 and nine digits, or None if it is not one."""
    number = re.sub(r"[\s.()\[\]\-\u2010-\u2015\u2212]", "", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    elif re.fullmatch(r"0[0-9]{9}", number):
        number = "+256" + number[1:]
    elif re.fullmatch(r"7[0-9]{8}", number):
        number = "+256" + number
    elif re.fullmatch(r"256[0-9]{9}", number):
        number = "+" + number
    return number if re.fullmatch(r"\+256[0-9]{9}", number) else None


# --- The state ---------------------------------------------------------------

class Store:
    """A JSON file: `codes` by number, and `asks`, the sends of the last day.

    An ask is written as "sending" before its call and gets its outcome after
    it: one that is still "sending" after a crash is unknown, and its code valid.
    """

    def __init__(self, path, now):
        self._path, self._now = path, now

    @contextlib.contextmanager
    def open(self):
        """Lock the state, hand it out, and save it (unless the block raises)."""
        with open(f"{self._path}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._read()
            yield state
            self._write(state)

    def _read(self):
        try:
            with open(self._path, encoding="utf-8") as file:
                state = json.load(file)
        except FileNotFoundError:
            return {"codes": {}, "asks": [], "balance_read": None}
        yesterday = self._now - DAY
        state["asks"] = [ask for ask in state["asks"] if ask["at"] > yesterday]
        state["codes"] = {n: c for n, c in state["codes"].items() if c["expires"] > yesterday}
        return state

    def _write(self, state):
        temporary = f"{self._path}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)


# --- The codes ---------------------------------------------------------------

def keyed_hash(key, number, code):
    return hmac.new(os.fsencode(key), os.fsencode(f"{number}:{code}"), hashlib.sha256).hexdigest()


def limited(asks, number, asker, now):
    """Every ask that came as far as a call counts, whatever became of it."""
    last_hour = [ask for ask in asks if ask["at"] > now - HOUR]
    of_number = [ask["at"] for ask in last_hour if ask["number"] == number]
    of_asker = [ask for ask in last_hour if ask["asker"] == asker]
    return (
        any(at > now - MINUTE for at in of_number)
        or len(of_number) >= MOST_PER_HOUR
        or len(of_asker) >= MOST_PER_HOUR_AND_ASKER
    )


def request(api, store, key, now, asker, typed_number):
    """Send a new code; return the status and the API's error code."""
    number = e164(typed_number)
    if number is None:
        tell(f"not a Ugandan number: {typed_number!r}")
        return "invalid", None

    code = f"{secrets.randbelow(10**6):06}"
    ask_id = secrets.token_hex(8)
    with store.open() as state:
        if limited(state["asks"], number, asker, now):
            tell("too many codes were asked for; wait before asking again")
            return "limited", None
        state["asks"].append(
            {"id": ask_id, "number": number, "asker": asker, "at": now, "outcome": "sending"}
        )
        state["codes"][number] = {
            "ask": ask_id,
            "hash": keyed_hash(key, number, code),
            "expires": now + LIFETIME,
            "tries": 0,
        }

    # The lock is open during the call. The answer's body is not kept: it is
    # not documented, so it could hold the text, and with it the code.
    try:
        api.send(MESSAGE.format(code=code), [number])
        status, api_code = "sent", None
    except WesendallError as error:
        status, api_code = error.outcome, error.code
        tell(f"the send ended as {error}")

    with store.open() as state:
        for ask in state["asks"]:
            if ask["id"] == ask_id:
                ask["outcome"] = status
        if status in ("refused", "failed"):
            stored = state["codes"].get(number)
            if stored and stored["ask"] == ask_id:  # not one that replaced it meanwhile
                del state["codes"][number]

    if status == "unknown":
        tell("the code may still arrive, and is valid if it does; ask again after a minute if not")
    elif status != "sent":
        tell("no code was sent")
    return status, api_code


def verify(store, key, now, typed_number, typed_code):
    """Judge a code. A used or exhausted one is removed, so that it looks like none."""
    number = e164(typed_number)
    with store.open() as state:
        stored = state["codes"].get(number)
        if stored is None:
            return "ended"
        if now >= stored["expires"]:
            return "expired"
        if hmac.compare_digest(stored["hash"], keyed_hash(key, number, typed_code.strip())):
            del state["codes"][number]
            return "right"
        stored["tries"] += 1
        if stored["tries"] >= MOST_TRIES:
            del state["codes"][number]
        return "wrong"


def watch_balance(api, store, now):
    """Once an hour, warn the operator if the wallet does not pay for a day's codes."""
    with store.open() as state:
        last = state["balance_read"]
        if last is not None and now - last < BALANCE_EVERY:
            return
        state["balance_read"] = now
        codes = max(len(state["asks"]), FEWEST_CODES_A_DAY)
    try:
        balance, price = api.balance()
    except WesendallError as error:
        tell(f"operator: the balance could not be read: {error}")
        return
    if balance < codes * price:  # a code is one unit
        tell(f"operator: the balance, UGX {balance}, pays for fewer than a day's codes ({codes})")


# --- The command -------------------------------------------------------------

def tell(text):
    print(text, file=sys.stderr)


def answer(status, api_code=None):
    print(json.dumps({"status": status, "code": api_code}), flush=True)


def clock():
    text = os.environ.get("OTP_NOW")
    try:
        return float(text) if text else time.time()
    except ValueError:
        sys.exit("OTP_NOW must be Unix seconds")


def main(arguments):
    api, key, now = Wesendall(), setting("OTP_KEY"), clock()
    store = Store(setting("OTP_STORE"), now)
    command, values = (arguments[0], arguments[1:]) if arguments else (None, [])

    if command == "request" and len(values) == 1:
        asker = os.environ.get("OTP_ASKER", "")
        status, api_code = request(api, store, key, now, asker, *values)
        answer(status, api_code)
        if status == "sent":
            watch_balance(api, store, now)  # after the answer: nobody waits for it
        return {"sent": 0, "unknown": 3}.get(status, 1)

    if command == "verify" and len(values) == 2:
        status = verify(store, key, now, *values)
        answer(status)
        return 0 if status == "right" else 1

    sys.exit("usage: otp request NUMBER | otp verify NUMBER CODE")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
