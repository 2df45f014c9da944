# Written from the generated prompt alone (use case bulk, Python, no framework).
"""One message to many: `bulk.py plan LIST MESSAGE JOURNAL` and `bulk.py send JOURNAL COST`."""
import base64
import http.client
import json
import math
import os
import re
import sys
import time
import urllib.parse
from random import uniform

REFUSALS = {
    "invalid_credentials": 401, "key_revoked": 401, "wallet_forbidden": 403,
    "insufficient_balance": 402, "validation_failed": 422, "send_failed": 502,
}
REPEATABLE = {429, 500, 502, 503, 504}


class WesendallError(Exception):
    """outcome: refused, failed (nothing happened) or unknown (it may have)"""

    def __init__(self, outcome, code, status=None, retry_after=0):
        super().__init__(f"{outcome}: {code or 'no answer'}")
        self.outcome, self.code, self.status, self.retry_after = outcome, code, status, retry_after


class Wesendall:
    def __init__(self, env):
        self.key, self.secret, self.wallet = (
            env[name] for name in ("WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"))
        self.base = urllib.parse.urlsplit(env.get("WESENDALL_BASE_URL", "https://www.wesendall.com"))

    def balance(self):
        path = "/api/v1/account/balance?" + urllib.parse.urlencode({"walletId": self.wallet})
        try:
            return self._call("GET", path)
        except WesendallError as error:
            if error.status is not None and error.status not in REPEATABLE:
                raise
            time.sleep(uniform(0.25, 0.75) + error.retry_after)
        return self._call("GET", path)

    def send(self, numbers, message):
        """Repeats once for a single number after send_failed, and never else."""
        params = {"walletId": self.wallet, "message": message, "recipient": numbers}
        try:
            return self._call("POST", "/api/v1/sms/send", params)
        except WesendallError as error:
            if len(numbers) > 1 or (error.outcome, error.code) != ("refused", "send_failed"):
                raise
        time.sleep(uniform(0.25, 0.75))
        return self._call("POST", "/api/v1/sms/send", params)

    def _call(self, method, path, params=None):
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.base.netloc, timeout=45 if params else 30)
        outcome = "failed"
        try:
            connection.connect()
            if params:
                outcome = "unknown"
            headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(params) if params else None, headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise WesendallError(outcome, None) from error
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            answer = {"success": False}
        if 200 <= status < 300 and answer.get("success") is not False:
            return answer.get("data", answer)
        detail = answer["error"] if isinstance(answer.get("error"), dict) else answer
        code = detail.get("code")
        if REFUSALS.get(code) == status:
            outcome = "refused"
        wait = response.headers.get("Retry-After", "")
        raise WesendallError(outcome, code, status, int(wait) if wait.isdigit() else 0)


def e164(text):
    """A Ugandan number in E.164, or None."""
    digits = re.sub(r"[\s\-.()]", "", text)
    digits = re.sub(r"^00", "+", digits)
    for pattern in (r"\+256(\d{9})", r"256(\d{9})", r"0?(7\d{8})"):
        if match := re.fullmatch(pattern, digits):
            return "+256" + match[1]
    return None


def save(path, journal):
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(journal, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def plan(api, env, list_path, message, path):
    if os.path.exists(path):
        sys.exit(f"{path} is there already: it may be of a send that has begun")
    length = len(message.encode("utf-16-le")) // 2
    if not 1 <= length <= 1600:
        sys.exit(f"the message has {length} UTF-16 code units; 1 to 1,600 are allowed")
    people, dropped = [], []
    with open(list_path, encoding="utf-8") as file:
        for line in filter(None, map(str.strip, file)):
            number = e164(line)
            if number is None:
                dropped.append({"number": line, "why": "not a Ugandan number"})
            elif number in people:
                dropped.append({"number": line, "why": "twice"})
            else:
                people.append(number)
    account = api.balance()
    units = math.ceil(length / 160)
    cost = math.ceil(units * len(people) * account["cost_per_sms"])
    size = int(env.get("BULK_BATCH") or 500)
    batches = [{"numbers": people[at:at + size], "state": "pending"} for at in range(0, len(people), size)]
    save(path, {"message": message, "cost": cost, "units": units, "cost_per_sms": account["cost_per_sms"], "batches": batches})
    print(json.dumps({"people": len(people), "units": units, "cost": cost, "balance": account["balance"],
                      "balance_after": account["balance"] - cost, "dropped": dropped}))
    return 0


def send(api, path, confirmed):
    with open(path, encoding="utf-8") as file:
        journal = json.load(file)
    batches = journal["batches"]
    for batch in batches:
        if batch["state"] == "sending":  # the program ended before its outcome was known
            batch["state"] = "unknown"
    save(path, journal)
    pending = [batch for batch in batches if batch["state"] == "pending"]
    if pending:
        account = api.balance()
        due = sum(len(batch["numbers"]) for batch in pending) * journal["units"] * account["cost_per_sms"]
        if str(journal["cost"]) != confirmed or account["cost_per_sms"] != journal["cost_per_sms"] or account["balance"] < due:
            print(json.dumps({"status": "stopped"}))
            return 1
    last = None
    for batch in pending:
        batch["state"] = "sending"
        save(path, journal)
        try:
            api.send(batch["numbers"], journal["message"])
            batch["state"] = "sent"
        except WesendallError as error:
            last = error
            batch["state"] = "pending" if error.outcome == "failed" else error.outcome
        save(path, journal)
        if last:
            print(last, file=sys.stderr)
            break
    counts = {state: sum(batch["state"] == state for batch in batches) for state in ("sent", "refused", "unknown", "pending")}
    status = "sent" if counts["sent"] == len(batches) else "unknown" if counts["unknown"] else "incomplete"
    print(json.dumps({"status": status, **counts}))
    return {"sent": 0, "unknown": 3}.get(status, 1)


def main(env, args):
    match args:
        case ["plan", list_path, message, path]:
            return plan(Wesendall(env), env, list_path, message, path)
        case ["send", path, cost]:
            return send(Wesendall(env), path, cost)
    sys.exit("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST")


if __name__ == "__main__":
    try:
        sys.exit(main(os.environ, sys.argv[1:]))
    except KeyError as missing:
        sys.exit(f"set {missing.args[0]}")
    except WesendallError as failure:
        sys.exit(str(failure))
