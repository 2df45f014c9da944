# Written from the generated prompt alone (use case otp, Python, no framework).
"""One-time codes by SMS: `otp.py request NUMBER` and `otp.py verify NUMBER CODE`."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import sys
import time
import urllib.parse
from random import uniform

LIFETIME, COOLDOWN, HOUR = 300, 60, 3600  # seconds
PER_HOUR, TRIES = 5, 5
REFUSALS = {
    "invalid_credentials": 401, "key_revoked": 401, "wallet_forbidden": 403,
    "insufficient_balance": 402, "validation_failed": 422, "send_failed": 502,
}


class WesendallError(Exception):
    """outcome: refused, failed (nothing happened) or unknown (it may have)"""

    def __init__(self, outcome, code):
        super().__init__(f"{outcome}: {code}")
        self.outcome, self.code = outcome, code


class Wesendall:
    def __init__(self, env):
        self.key, self.secret, self.wallet = (
            env[name] for name in ("WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"))
        self.base = urllib.parse.urlsplit(env.get("WESENDALL_BASE_URL", "https://www.wesendall.com"))

    def send(self, number, message):
        """Sends to one number; repeats once after send_failed, and never else."""
        try:
            return self._post("/api/v1/sms/send", {"message": message, "recipient": number})
        except WesendallError as error:
            if (error.outcome, error.code) != ("refused", "send_failed"):
                raise
        time.sleep(uniform(0.25, 0.75))
        return self._post("/api/v1/sms/send", {"message": message, "recipient": number})

    def _post(self, path, params):
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.base.netloc, timeout=45)
        outcome = "failed"
        try:
            connection.connect()
            outcome = "unknown"
            connection.request("POST", path, json.dumps({"walletId": self.wallet, **params}),
                               {"Authorization": f"Basic {basic}", "Content-Type": "application/json"})
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
        raise WesendallError("refused" if REFUSALS.get(code) == status else "unknown", code)


def e164(text):
    """A Ugandan number in E.164, or None."""
    digits = re.sub(r"[\s\-.()]", "", text)
    digits = re.sub(r"^00", "+", digits)
    for pattern in (r"\+256(\d{9})", r"256(\d{9})", r"0?(7\d{8})"):
        if match := re.fullmatch(pattern, digits):
            return "+256" + match[1]
    return None


class Store:
    """Codes by number, in a JSON file that is replaced as a whole."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, encoding="utf-8") as file:
                self.entries = json.load(file)
        except FileNotFoundError:
            self.entries = {}

    def save(self):
        temporary = f"{self.path}.new"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.entries, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)


def request(api, store, hashed, now, text):
    number = e164(text)
    if number is None:
        return {"status": "invalid"}
    entry = store.entries.setdefault(number, {"asked": []})
    entry["asked"] = [at for at in entry["asked"] if now - at < HOUR]
    if len(entry["asked"]) >= PER_HOUR or any(now - at < COOLDOWN for at in entry["asked"]):
        return {"status": "limited"}
    code = f"{secrets.randbelow(10**6):06}"
    entry["asked"].append(now)
    entry.update(hash=hashed(number, code), expires=now + LIFETIME, wrong=0, outcome="sending")
    store.save()  # before the call, so that a crash leaves a trace
    try:
        api.send(number, f"Your App code is {code}. It expires in 5 minutes. Tell it to nobody.")
        result = {"status": "sent"}
    except WesendallError as error:
        result = {"status": error.outcome, "code": error.code}
        if error.outcome != "unknown":
            del entry["hash"]
    entry["outcome"] = result["status"]
    store.save()
    return result


def verify(store, hashed, now, text, code):
    number = e164(text)
    entry = store.entries.get(number, {})
    if "hash" not in entry:
        return {"status": "ended"}
    if now >= entry["expires"]:
        return {"status": "expired"}
    right = hmac.compare_digest(entry["hash"], hashed(number, code))
    entry["wrong"] += not right
    if right or entry["wrong"] >= TRIES:
        del entry["hash"]
    store.save()
    return {"status": "right" if right else "wrong"}


def main(env, args):
    key = env["OTP_KEY"].encode()
    now = int(env.get("OTP_NOW") or time.time())
    store = Store(env["OTP_STORE"])

    def hashed(number, code):
        return hmac.new(key, f"{number} {code}".encode(), hashlib.sha256).hexdigest()

    match args:
        case ["request", number]:
            result = request(Wesendall(env), store, hashed, now, number)
        case ["verify", number, code]:
            result = verify(store, hashed, now, number, code)
        case _:
            sys.exit("usage: otp request NUMBER | otp verify NUMBER CODE")
    print(json.dumps({"code": None, **result}))
    return {"sent": 0, "right": 0, "unknown": 3}.get(result["status"], 1)


if __name__ == "__main__":
    try:
        sys.exit(main(os.environ, sys.argv[1:]))
    except KeyError as missing:
        sys.exit(f"set {missing.args[0]}")
