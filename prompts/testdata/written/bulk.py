# Written from the prompt alone (the briefing bulk.md), without knowledge of the service beyond it.
"""One message to many people by SMS through Wesendall: once, and within an agreed price.

    bulk plan LIST MESSAGE JOURNAL    writes the plan, sends nothing
    bulk send JOURNAL COST            sends what is pending of the plan whose cost was confirmed

Prints one JSON line; what a person should read besides goes to stderr.
Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, WESENDALL_BASE_URL;
BULK_BATCH (numbers in a batch, 1 to 500, used by the first `send` of a journal), and
BULK_STOP (optional: a file with the numbers of all who said stop, one a line).
"""
import base64
import collections
import contextlib
import decimal
import fcntl
import http.client
import json
import math
import os
import random
import re
import sys
import time
import urllib.parse

MAX_BATCH = 500
MAX_LENGTH = 1600  # UTF-16 code units
UNIT_LENGTH = 160
STATES = ("sent", "refused", "unknown", "pending", "sending")


class Stop(Exception):
    """The program cannot go on. Nothing was sent."""


def tell(text):
    print(f"bulk: {text}", file=sys.stderr)


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
            raise Stop(f"missing in the environment: {', '.join(missing)}")
        key, secret, self._wallet = (environ[name] for name in names)
        self._authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        try:
            base = urllib.parse.urlsplit(environ.get("WESENDALL_BASE_URL") or "https://www.wesendall.com")
            self._connection = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}[base.scheme]
            self._host, self._port = base.hostname or "", base.port
        except (ValueError, KeyError):
            raise Stop("WESENDALL_BASE_URL is not a URL of http or https") from None
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
        fields = [data.get(name) for name in ("balance", "cost_per_sms")] if isinstance(data, dict) else [None]
        if not all(type(field) in (int, float) and math.isfinite(field) for field in fields) or fields[1] <= 0:
            raise WesendallError("failed", status=200)
        return fields

    def send(self, numbers, message):
        """Sends one message. To one number it is repeated once, and only after a refunded send_failed."""
        body = json.dumps({"walletId": self._wallet, "message": message, "recipient": numbers})
        try:
            return self._call("POST", "/api/v1/sms/send", timeout=45, body=body)
        except WesendallError as error:
            if len(numbers) != 1 or (error.outcome, error.code) != ("refused", "send_failed"):
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


def normalise(text):
    """The number as E.164, or None."""
    number = re.sub(r"[\s.()\[\]\u2010-\u2015-]", "", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    elif re.fullmatch(r"0?7[0-9]{8}", number):
        number = "+256" + number[-9:]
    elif re.fullmatch(r"256[0-9]{9}", number):
        number = "+" + number
    form = r"\+256[0-9]{9}" if number.startswith("+256") else r"\+[1-9][0-9]{6,14}"
    return number if re.fullmatch(form, number) else None


def read_lines(path):
    """The lines of a list that are not empty, each with its line number."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return [(at, line.strip()) for at, line in enumerate(file, 1) if line.strip()]
    except OSError as error:
        raise Stop(f"cannot read {path}: {error.strerror}") from None


def read_list(path, stop_path):
    """(the numbers to send to, what was dropped and why)"""
    stopped = set()
    for at, line in read_lines(stop_path) if stop_path else []:
        number = normalise(line)
        if number is None:  # whoever this is must not get the message
            raise Stop(f"line {at} of the stop list is not a number: {line}")
        stopped.add(number)
    numbers, dropped = {}, []
    for at, line in read_lines(path):
        number = normalise(line)
        why = ("not a number" if number is None else "said stop" if number in stopped
               else "duplicate" if number in numbers else None)
        if why:
            dropped.append({"line": at, "number": line, "why": why})
        else:
            numbers[number] = True
    return list(numbers), dropped


def units_of(message):
    try:
        length = len(message.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise Stop("the message is not valid text") from None
    if not 1 <= length <= MAX_LENGTH:
        raise Stop(f"the message has {length} UTF-16 code units; 1 to {MAX_LENGTH} are allowed")
    return -(-length // UNIT_LENGTH)


def cost_of(message, people, cost_per_sms):
    cost = round(units_of(message) * people * cost_per_sms, 2)
    return int(cost) if cost == int(cost) else cost


class Journal:
    """The JSON file {message, cost_per_sms, numbers, batches}; batches are cut before the first call."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.content = None

    @contextlib.contextmanager
    def locked(self):
        try:
            lock = open(self.path + ".lock", "a")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Stop(f"the journal is in use by another run, or out of reach: {error.strerror}") from None
        with lock:
            yield

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                content = json.load(file)
            cost_of(content["message"], len(content["numbers"]), content["cost_per_sms"])
            cut = [number for batch in content["batches"] for number in batch["numbers"] if batch["state"] in STATES]
            if cut and cut != content["numbers"]:
                raise ValueError
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            raise Stop("the journal cannot be read, or is not a plan; it is left as it is") from None
        self.content = content

    def write(self):
        handle = os.open(self.path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.path + ".new", self.path)

    def set_state(self, batch, state, **more):
        batch.update(state=state, at=time.time(), **more)
        self.write()

    def batches(self, state):
        return [batch for batch in self.content["batches"] if batch["state"] == state]


def plan(api, environ, list_path, message, journal_path):
    units = units_of(message)
    numbers, dropped = read_list(list_path, environ.get("BULK_STOP"))
    journal = Journal(journal_path)
    with journal.locked():
        if os.path.exists(journal.path):
            raise Stop("the journal exists already: a new plan over it could send twice")
        try:
            balance, cost_per_sms = api.balance()
        except WesendallError as error:
            raise Stop(f"the balance could not be read: {error}") from None
        cost = cost_of(message, len(numbers), cost_per_sms)
        if numbers:
            journal.content = {"message": message, "cost_per_sms": cost_per_sms, "numbers": numbers, "batches": []}
            journal.write()
    for entry in dropped:
        tell(f"dropped line {entry['line']}, {entry['number']}: {entry['why']}")
    tell(f"{len(numbers)} people x {units} units x {cost_per_sms} = UGX {cost}; "
         f"balance {balance}, after it {balance - cost}")
    if not numbers:
        tell("nobody is left to send to; no journal was written")
    print(json.dumps({"people": len(numbers), "units": units, "cost": cost, "balance": balance, "dropped": dropped}))
    return 0 if numbers else 1


def send(api, environ, journal_path, confirmed):
    try:
        size = int(environ.get("BULK_BATCH") or MAX_BATCH)
    except ValueError:
        size = 0
    if not 1 <= size <= MAX_BATCH:
        raise Stop(f"BULK_BATCH must be 1 to {MAX_BATCH}")
    if not os.path.exists(journal_path):
        raise Stop("there is no such journal")
    journal = Journal(journal_path)
    with journal.locked():
        journal.read()
        content = journal.content
        if not same_amount(confirmed, cost_of(content["message"], len(content["numbers"]), content["cost_per_sms"])):
            raise Stop("the confirmed cost is not the plan's")
        if not content["batches"]:
            numbers = content["numbers"]
            content["batches"] = [{"state": "pending", "numbers": numbers[start:start + size]}
                                  for start in range(0, len(numbers), size)]
        for batch in journal.batches("sending"):  # an earlier run ended before the outcome
            batch["state"] = "unknown"
        journal.write()
        pending = journal.batches("pending")
        if pending:
            check_money(api, content, pending)
        for batch in pending:
            if send_batch(api, journal, batch) != "sent":
                break
        return report(api, journal)


def same_amount(text, cost):
    try:
        return decimal.Decimal(text) == decimal.Decimal(str(cost))
    except decimal.InvalidOperation:
        return False


def check_money(api, content, pending):
    """Stops unless the price is the confirmed one and the balance pays for all that is pending."""
    try:
        balance, cost_per_sms = api.balance()
    except WesendallError as error:
        raise Stop(f"the balance could not be read: {error}") from None
    if cost_per_sms != content["cost_per_sms"]:
        raise Stop(f"the price of a unit is now {cost_per_sms}, not the confirmed {content['cost_per_sms']}")
    cost = cost_of(content["message"], sum(len(batch["numbers"]) for batch in pending), cost_per_sms)
    if balance < cost:
        raise Stop(f"the balance, {balance}, is less than the cost of what is pending, {cost}")


def send_batch(api, journal, batch):
    journal.set_state(batch, "sending")
    try:
        answer = api.send(batch["numbers"], journal.content["message"])
        journal.set_state(batch, "sent", answer=answer)
    except WesendallError as error:
        state = "pending" if error.outcome == "failed" else error.outcome
        journal.set_state(batch, state, code=error.code)
        tell(f"a batch of {len(batch['numbers'])} was not surely sent: {error}")
        if state != "pending":
            tell("it is not sent again: a person looks at the history and the balance, and decides")
    return batch["state"]


def report(api, journal):
    batches = journal.content["batches"]
    count = collections.Counter(batch["state"] for batch in batches)
    if count["sent"] == len(batches):
        status = "sent"
    else:
        status = next(state for state in ("unknown", "refused", "pending") if count[state])
    print(json.dumps({"status": status, **{s: count[s] for s in STATES[:4]}}), flush=True)
    try:
        balance = api.balance()[0]
    except WesendallError as error:
        balance = f"not known ({error})"
    tell(f"{len(journal.content['numbers'])} people in {len(batches)} batches; the balance is now {balance}")
    return {"sent": 0, "unknown": 3}.get(status, 1)


def main(arguments):
    try:
        api = Wesendall(os.environ)
        match arguments:
            case ["plan", list_path, message, journal_path]:
                return plan(api, os.environ, list_path, message, journal_path)
            case ["send", journal_path, confirmed]:
                return send(api, os.environ, journal_path, confirmed)
            case _:
                raise Stop("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST")
    except Stop as reason:
        tell(reason)
        if arguments[:1] == ["send"]:
            print(json.dumps({"status": "stopped"}))
        return 1
    except OSError as error:  # of the journal, perhaps after a call: a batch left as `sending` is unknown
        tell(f"the journal could not be written: {error.strerror}")
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
