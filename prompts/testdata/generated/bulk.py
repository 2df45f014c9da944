#!/usr/bin/env python3
# Written from the generated prompt alone (use case bulk, Python, no framework).
"""Send one message to many people through Wesendall, once, at an agreed price.

    bulk plan LIST MESSAGE JOURNAL    LIST is a file, a number a line; MESSAGE is the text
    bulk send JOURNAL COST            COST is the plan's cost, which a person confirmed

Prints one JSON line; what a person should know besides goes to stderr.
Python 3.8+, standard library, Unix (it locks with fcntl).

BULK_BATCH  numbers in a batch, 1 to 500 (the default)
BULK_STOP   a file of the numbers that said stop, one a line, if there is one

A batch that is refused or unknown is never sent again by this program. A person
who has looked at the history and the balance can set its state in the journal
back to "pending".
"""
import base64
import collections
import contextlib
import email.utils
import fcntl
import http.client
import json
import os
import random
import re
import sys
import time
import urllib.parse

LARGEST_BATCH = 500
LONGEST_MESSAGE = 1600
UNIT = 160


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


def units_of(message):
    """Count the billed units of a text, or leave if it cannot be sent."""
    try:
        length = len(message.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        sys.exit("the message is not valid text")
    if not 1 <= length <= LONGEST_MESSAGE:
        sys.exit(f"the message has {length} UTF-16 code units; 1 to {LONGEST_MESSAGE} can be sent")
    return -(-length // UNIT)


# --- The plan ----------------------------------------------------------------

def lines_of(path):
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return [line.strip() for line in file if line.strip()]
    except OSError as error:
        sys.exit(f"cannot read {path}: {error.strerror}")


def stop_list():
    path = os.environ.get("BULK_STOP")
    if not path:
        tell("BULK_STOP is not set: nobody is left out for having said stop")
        return set()
    stopped = set()
    for line in lines_of(path):
        number = e164(line)
        if number is None:
            tell(f"not a Ugandan number in the stop list: {line!r}")
        stopped.add(number)
    return stopped


def choose(lines, stopped):
    """Return the people, each once, and what was dropped and why."""
    people, dropped = {}, []  # a dict keeps the order and finds duplicates
    for line in lines:
        number = e164(line)
        if number is None:
            dropped.append({"number": line, "why": "invalid"})
        elif number in stopped:
            dropped.append({"number": line, "why": "stop"})
        elif number in people:
            dropped.append({"number": line, "why": "duplicate"})
        else:
            people[number] = True
    return list(people), dropped


def plan(api, list_path, message, journal_path):
    units = units_of(message)
    people, dropped = choose(lines_of(list_path), stop_list())
    if os.path.lexists(journal_path):
        sys.exit(f"{journal_path} is there already; choose another name")
    try:
        balance, price = api.balance()
    except WesendallError as error:
        sys.exit(f"the balance could not be read: {error}")
    cost = units * len(people) * price

    if people:
        journal = {
            "message": message,
            "units": units,
            "price": price,
            "cost": cost,
            "people": people,
            "batches": None,  # cut by the first send
        }
        try:
            write_new(journal_path, journal)
        except OSError as error:
            sys.exit(f"cannot write {journal_path}: {error.strerror}")
    say(people=len(people), units=units, cost=cost, balance=balance, dropped=dropped)
    if not people:
        tell("nobody is left to send to; no journal was written")
        return 1
    tell(f"{len(people)} people, {units} unit(s) each, UGX {cost}; balance after it: UGX {balance - cost}")
    if balance < cost:
        tell("the balance is too small: top it up before sending")
    return 0


# --- The journal -------------------------------------------------------------

def write_new(path, journal):
    """Write a journal, but never over a file that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        dump(journal, file)


def dump(journal, file):
    json.dump(journal, file, indent=1)
    file.flush()
    os.fsync(file.fileno())


class Journal:
    """A plan's file, held by one run at a time and saved at every step."""

    def __init__(self, path):
        self._path = path
        with open(path, encoding="utf-8") as file:
            self._content = json.load(file)

    def __getitem__(self, name):
        return self._content[name]

    def update(self, **members):
        self._content.update(members)
        self._save()

    def mark(self, batch, state, **members):
        batch.update(state=state, **members)
        self._save()

    def pending(self):
        return [batch for batch in self["batches"] if batch["state"] == "pending"]

    def _save(self):
        temporary = f"{self._path}.new"
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)  # left by a crash
        write_new(temporary, self._content)
        os.replace(temporary, self._path)


@contextlib.contextmanager
def held(path):
    """Keep a second run away from the journal, and open it."""
    if not os.path.isfile(path):
        raise Stopped(f"there is no journal {path}")
    with open(f"{path}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped("another run is sending this journal") from None
        try:
            journal = Journal(path)
        except ValueError:
            raise Stopped(f"{path} is no journal") from None
        yield journal


# --- The send ----------------------------------------------------------------

class Stopped(Exception):
    """Nothing was sent by this run; the text says why."""


def batch_size():
    text = os.environ.get("BULK_BATCH") or str(LARGEST_BATCH)
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= LARGEST_BATCH:
        return int(text)
    raise Stopped(f"BULK_BATCH must be 1 to {LARGEST_BATCH}")


def same_amount(text, amount):
    try:
        return float(text) == amount
    except ValueError:
        return False


def prepare(journal):
    """Cut the batches at the first run; settle what a crash left at a later one."""
    size, people = batch_size(), journal["people"]
    if journal["batches"] is None:
        journal.update(batches=[
            {"state": "pending", "numbers": people[start:start + size]}
            for start in range(0, len(people), size)
        ])
    for batch in journal["batches"]:
        if batch["state"] == "sending":
            journal.mark(batch, "unknown", error="the run ended before the outcome was written")


def check_money(api, journal):
    """Stop if the price is not the agreed one, or the balance too small."""
    try:
        balance, price = api.balance()
    except WesendallError as error:
        raise Stopped(f"the balance could not be read: {error}") from error
    units = journal["units"] * sum(len(batch["numbers"]) for batch in journal.pending())
    if price != journal["price"]:
        cost = journal["cost"] + units * (price - journal["price"])
        journal.update(price=price, cost=cost)
        raise Stopped(f"a unit now costs UGX {price}: the whole costs UGX {cost}; confirm that to go on")
    if balance < units * price:
        raise Stopped(f"UGX {units * price} are needed, and the balance is UGX {balance}")


def send_pending(api, journal):
    """Send batch after batch, and stop at the first that is not sent."""
    for batch in journal.pending():
        journal.mark(batch, "sending", error=None)
        try:
            data = api.send(journal["message"], batch["numbers"])
        except WesendallError as error:
            state = "pending" if error.outcome == "failed" else error.outcome
            journal.mark(batch, state, error=str(error))
            tell(f"stopped at a batch of {len(batch['numbers'])}: {error}")
            return
        journal.mark(batch, "sent", answer=data)


def send(api, journal_path, confirmed):
    try:
        with held(journal_path) as journal:
            if not same_amount(confirmed, journal["cost"]):
                raise Stopped(f"UGX {confirmed} was confirmed, but the plan costs UGX {journal['cost']}")
            prepare(journal)
            if journal.pending():
                check_money(api, journal)
                send_pending(api, journal)
            return report(api, journal)
    except Stopped as reason:
        tell(f"nothing was sent: {reason}")
        say(status="stopped")
        return 1


def report(api, journal):
    count = collections.Counter(batch["state"] for batch in journal["batches"])
    people = collections.Counter()
    for batch in journal["batches"]:
        people[batch["state"]] += len(batch["numbers"])
    # The worst state names the whole.
    status = next((state for state in ("unknown", "refused", "pending") if count[state]), "sent")
    say(status=status, **{state: count[state] for state in ("sent", "refused", "unknown", "pending")})

    tell(f"people: {', '.join(f'{number} {state}' for state, number in people.items())}")
    if count["unknown"] or count["refused"]:
        tell("a person must look at the history and the balance; those batches are not sent again")
    try:
        tell(f"balance: UGX {api.balance()[0]}")
    except WesendallError as error:
        tell(f"the balance could not be read: {error}")
    return {"sent": 0, "unknown": 3}.get(status, 1)


# --- The command -------------------------------------------------------------

def tell(text):
    print(text, file=sys.stderr)


def say(**members):
    print(json.dumps(members), flush=True)


def main(arguments):
    api = Wesendall()
    command, values = (arguments[0], arguments[1:]) if arguments else (None, [])
    if command == "plan" and len(values) == 3:
        return plan(api, *values)
    if command == "send" and len(values) == 2:
        return send(api, *values)
    sys.exit("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
