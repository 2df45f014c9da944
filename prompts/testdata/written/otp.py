# Written from the prompt alone (the briefing otp.md), without knowledge of the service beyond it.
"""One-time codes by SMS through Wesendall.

    otp request NUMBER        sends a new code, which replaces an older one
    otp verify NUMBER CODE    tells whether CODE is the number's code

Prints one JSON line {"status", "code"}; what the operator should know goes to stderr.
Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, WESENDALL_BASE_URL;
OTP_STORE (state file), OTP_KEY (hash key), OTP_NOW (Unix seconds, for tests), and
OTP_ASKER (optional: the address or account that asks, as the caller knows it).
"""
import base64
import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import math
import os
import random
import re
import secrets
import sys
import time
import urllib.parse

TEXT = "Your App code is {code}. It expires in 5 minutes. Tell it to nobody."
LIFETIME = 5 * 60
MAX_WRONG = 5
NUMBER_LIMITS = ((60, 1), (3600, 5))  # (seconds, codes) for one number
ASKER_LIMITS = ((3600, 20),)  # for one address or account
BALANCE_EVERY = 3600  # seconds between two looks at the balance
DAY = 24 * 3600
LEAST_DAILY_CODES = 20  # a day's codes are what the last 24 hours took, and at least this

EXIT_CODES = {"sent": 0, "right": 0, "unknown": 3}


class StartError(Exception):
    """The program cannot start: something is missing or malformed in its environment."""


def tell_operator(text):
    print(f"otp: {text}", file=sys.stderr)


# The documented refusals: nothing was done, and nothing stays charged.
REFUSALS = {
    "invalid_credentials": 401,
    "key_revoked": 401,
    "wallet_forbidden": 403,
    "insufficient_balance": 402,
    "validation_failed": 422,
    "send_failed": 502,
}
REPEATABLE_READS = {None, 429, 500, 502, 503, 504}  # None: no answer


class WesendallError(Exception):
    """outcome: refused, failed (nothing happened) or unknown (it may have).

    code is the API's own error code, or None. The API's message is left out on purpose.
    """

    def __init__(self, outcome, code=None, status=None, retry_after="0"):
        super().__init__(f"{outcome}: {code or (f'HTTP {status}' if status else 'no answer')}")
        self.outcome, self.code, self.status, self.retry_after = outcome, code, status, retry_after


class Wesendall:
    def __init__(self, environ):
        names = ("WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID")
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise StartError(f"missing in the environment: {', '.join(missing)}")
        key, secret, self._wallet = (environ[name] for name in names)
        self._authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        try:
            base = urllib.parse.urlsplit(environ.get("WESENDALL_BASE_URL") or "https://www.wesendall.com")
            self._connection = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}[base.scheme]
            self._host, self._port = base.hostname or "", base.port
        except (ValueError, KeyError):
            raise StartError("WESENDALL_BASE_URL is not a URL of http or https") from None
        self._prefix = base.path.rstrip("/")

    def balance(self):
        """The wallet's (balance, cost_per_sms). Changes nothing, so it is repeated once if that may help."""
        path = "/api/v1/account/balance?" + urllib.parse.urlencode({"walletId": self._wallet})
        try:
            data = self._call("GET", path, timeout=30)
        except WesendallError as error:
            wait = error.retry_after  # a date, or more than a minute, is not waited for
            if error.status not in REPEATABLE_READS or not re.fullmatch("[0-9]|[1-5][0-9]|60", wait):
                raise
            time.sleep(random.uniform(0.25, 0.75) + int(wait))
            data = self._call("GET", path, timeout=30)
        try:
            return float(data["balance"]), float(data["cost_per_sms"])
        except (KeyError, TypeError, ValueError):
            raise WesendallError("failed", status=200) from None

    def send_to_one(self, number, message):
        """Sends one message to one number. Repeated once, and only after a refunded send_failed."""
        body = json.dumps({"walletId": self._wallet, "message": message, "recipient": number})
        try:
            return self._call("POST", "/api/v1/sms/send", timeout=45, body=body)
        except WesendallError as error:
            if (error.outcome, error.code) != ("refused", "send_failed"):
                raise
        time.sleep(random.uniform(0.25, 0.75))
        return self._call("POST", "/api/v1/sms/send", timeout=45, body=body)

    def _call(self, method, path, timeout, body=None):
        """One request, never repeated and never redirected. Returns the answer's data."""
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        after_connecting = "failed" if method == "GET" else "unknown"
        outcome = "failed"
        connection = self._connection(self._host, self._port, timeout=timeout)
        try:
            connection.connect()
            outcome = after_connecting  # from here on it may happen
            connection.request(method, self._prefix + path, body, headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
            retry_after = response.getheader("Retry-After", "0").strip()
        except (OSError, ValueError, http.client.HTTPException):
            raise WesendallError(outcome) from None
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            answer = {"success": False}
        if 200 <= status < 300 and answer.get("success") is not False:
            return answer.get("data", answer)
        detail = answer["error"] if isinstance(answer.get("error"), dict) else answer
        code = detail.get("code")
        code = code if isinstance(code, str) and code else None
        if code and REFUSALS.get(code) == status:
            outcome = "refused"
        raise WesendallError(outcome, code, status, retry_after)


def ugandan_number(text):
    """The number as E.164 (+256 and nine digits), or None."""
    number = re.sub(r"[\s.()\[\]\u2010-\u2015-]", "", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    elif re.fullmatch(r"0?7[0-9]{8}", number):
        number = "+256" + number[-9:]
    elif re.fullmatch(r"256[0-9]{9}", number):
        number = "+" + number
    return number if re.fullmatch(r"\+256[0-9]{9}", number) else None


class Store:
    """A JSON file: {"codes": {number: ...}, "asked": [[time, number, asker hash], ...], "balance_read": time}.

    "asked" holds every code that was to be sent in the last day; the limits are counted on it.
    """

    def __init__(self, path):
        self._path = os.path.abspath(path)

    @contextlib.contextmanager
    def locked(self):
        """Gives the state to one process at a time, and writes it back if the block ends well."""
        with open(self._path + ".lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._read()
            yield state
            self._write(state)

    def _read(self):
        try:
            with open(self._path, encoding="utf-8") as file:
                state = json.load(file)
        except FileNotFoundError:
            state = {}
        except ValueError:
            raise StartError("OTP_STORE is not a JSON file; it is left as it is") from None
        if not isinstance(state, dict):
            raise StartError("OTP_STORE is not a state of this program; it is left as it is")
        return {"codes": {}, "asked": [], "balance_read": None, **state}

    def _write(self, state):
        handle = os.open(self._path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._path + ".new", self._path)


class Otp:
    def __init__(self, environ):
        self.api = Wesendall(environ)
        missing = [name for name in ("OTP_STORE", "OTP_KEY") if not environ.get(name)]
        if missing:
            raise StartError(f"missing in the environment: {', '.join(missing)}")
        self.store = Store(environ["OTP_STORE"])
        self._key = environ["OTP_KEY"].encode("utf-8", "surrogateescape")
        self._asker = self._hash("asker", environ["OTP_ASKER"]) if environ.get("OTP_ASKER") else None
        try:
            self._set_time = float(environ["OTP_NOW"]) if environ.get("OTP_NOW") else None
        except ValueError:
            self._set_time = math.nan
        if self._set_time is not None and not math.isfinite(self._set_time):  # NaN would pass every limit
            raise StartError("OTP_NOW is not a number of seconds")

    def now(self):
        return time.time() if self._set_time is None else self._set_time

    def _hash(self, *parts):
        text = json.dumps(parts).encode()  # json keeps the parts apart
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def request(self, text):
        """Returns (status, the API's error code or None)."""
        number = ugandan_number(text)
        if number is None:
            return "invalid", None
        code = f"{secrets.randbelow(10 ** 6):06d}"
        request_id = secrets.token_hex(8)
        with self.store.locked() as state:  # the code and the intent, before the call
            now = self.now()
            forget_old(state, now)
            if self._limited(state, number, now):
                return "limited", None
            state["asked"].append([now, number, self._asker])
            state["codes"][number] = {
                "id": request_id, "hash": self._hash("code", number, code),
                "expires": now + LIFETIME, "wrong": 0, "used": False, "outcome": "sending",
            }
        try:
            self.api.send_to_one(number, TEXT.format(code=code))
            outcome, error_code = "sent", None
        except WesendallError as error:
            outcome, error_code = error.outcome, error.code
            tell_operator(f"a code was not surely sent: {error}")
        try:
            with self.store.locked() as state:
                kept = state["codes"].get(number)
                if kept and kept["id"] == request_id:  # not replaced meanwhile
                    if outcome in ("sent", "unknown"):
                        kept["outcome"] = outcome
                    else:
                        del state["codes"][number]
        except OSError as error:  # the code stays `sending`, which is unknown
            tell_operator(f"the outcome, {outcome}, could not be written down: {error}")
        return outcome, error_code

    def _limited(self, state, number, now):
        def over(limits, times):
            return any(sum(now - t < seconds for t in times) >= most for seconds, most in limits)

        by_number = [t for t, n, _ in state["asked"] if n == number]
        by_asker = [t for t, _, asker in state["asked"] if self._asker and asker == self._asker]
        return over(NUMBER_LIMITS, by_number) or over(ASKER_LIMITS, by_asker)

    def verify(self, text, code):
        number = ugandan_number(text)
        with self.store.locked() as state:
            kept = state["codes"].get(number)
            if kept is None or kept["used"] or kept["wrong"] >= MAX_WRONG:
                return "ended"
            if self.now() >= kept["expires"]:
                return "expired"
            if hmac.compare_digest(kept["hash"], self._hash("code", number, code.strip())):
                kept["used"] = True
                return "right"
            kept["wrong"] += 1
            return "wrong"

    def check_balance(self):
        """Warns the operator when the wallet pays for fewer than a day's codes. Looks now and then only."""
        with self.store.locked() as state:
            now = self.now()
            if state["balance_read"] is not None and abs(now - state["balance_read"]) < BALANCE_EVERY:
                return
            state["balance_read"] = now
            daily = max(LEAST_DAILY_CODES, sum(now - t < DAY for t, _, _ in state["asked"]))
        try:
            balance, cost_per_sms = self.api.balance()
        except WesendallError as error:
            tell_operator(f"the balance could not be read: {error}")
            return
        if balance < daily * cost_per_sms:
            tell_operator(f"the balance, UGX {balance:g}, pays for fewer than a day's {daily} codes")


def forget_old(state, now):
    """Drops what no limit and no verification needs any more."""
    state["asked"] = [asked for asked in state["asked"] if now - asked[0] < DAY]
    state["codes"] = {n: kept for n, kept in state["codes"].items() if now - kept["expires"] < DAY}


def main(arguments):
    try:
        otp = Otp(os.environ)
        match arguments:
            case ["request", number]:
                status, code = otp.request(number)
            case ["verify", number, guess]:
                status, code = otp.verify(number, guess), None
            case _:
                raise StartError("usage: otp request NUMBER | otp verify NUMBER CODE")
        print(json.dumps({"status": status, "code": code}), flush=True)
        if status in ("sent", "unknown", "refused"):
            otp.check_balance()
    except (StartError, OSError) as error:  # OSError: of the store; the API's end as a WesendallError
        tell_operator(error)
        return 1
    return EXIT_CODES.get(status, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
