// Written from the generated prompt alone (use case bulk, JavaScript, no framework).
// One message to many: `bulk.mjs plan LIST MESSAGE JOURNAL` and `bulk.mjs send JOURNAL COST`.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const refusals = {
  invalid_credentials: 401, key_revoked: 401, wallet_forbidden: 403,
  insufficient_balance: 402, validation_failed: 422, send_failed: 502,
};

function setting(name, otherwise) {
  const value = process.env[name] || otherwise;
  if (value === undefined) throw new Error(`set ${name}`);
  return value;
}

class WesendallError extends Error {
  // outcome: refused, failed (nothing happened) or unknown (it may have)
  constructor(outcome, code, response) {
    super(`${outcome}: ${code ?? "no answer"}`);
    Object.assign(this, { outcome, code, status: response?.status, retryAfter: Number(response?.headers.get("retry-after")) || 0 });
  }
}

async function call(method, path, params) {
  const spends = method === "POST";
  const key = setting("WESENDALL_API_KEY"), secret = setting("WESENDALL_API_SECRET"), walletId = setting("WESENDALL_WALLET_ID");
  const url = new URL(path, setting("WESENDALL_BASE_URL", "https://www.wesendall.com"));
  if (!spends) url.search = new URLSearchParams({ walletId, ...params });
  let response, text;
  try {
    response = await fetch(url, {
      method,
      headers: { Authorization: `Basic ${btoa(`${key}:${secret}`)}`, "Content-Type": "application/json" },
      body: spends ? JSON.stringify({ walletId, ...params }) : undefined,
      redirect: "manual",
      signal: AbortSignal.timeout(spends ? 45_000 : 30_000),
    });
    text = await response.text();
  } catch (error) {
    const unsent = !spends || ["ECONNREFUSED", "ENOTFOUND"].includes(error.cause?.code);
    throw new WesendallError(unsent ? "failed" : "unknown", null);
  }
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // not JSON
  }
  if (response.ok && answer && answer.success !== false) return answer.data ?? answer;
  const code = answer?.error?.code ?? answer?.code ?? null;
  throw new WesendallError(refusals[code] === response.status ? "refused" : spends ? "unknown" : "failed", code, response);
}

// again makes a call a second time where the first failure allows it.
async function again(make, allowed) {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof WesendallError) || !allowed(error)) throw error;
    await sleep(250 + Math.random() * 500 + error.retryAfter * 1000);
    return make();
  }
}

const balance = () => again(() => call("GET", "/api/v1/account/balance", {}),
  (error) => error.status === undefined || [429, 500, 502, 503, 504].includes(error.status));

const send = (recipient, message) => again(() => call("POST", "/api/v1/sms/send", { recipient, message }),
  (error) => recipient.length === 1 && error.outcome === "refused" && error.code === "send_failed");

// e164 is a Ugandan number, or null.
function e164(text) {
  const digits = text.replace(/[\s\-.()]/g, "").replace(/^00/, "+");
  const match = /^(?:\+256(\d{9})|256(\d{9})|0?(7\d{8}))$/.exec(digits);
  return match && `+256${match[1] ?? match[2] ?? match[3]}`;
}

function save(path, journal) {
  const file = openSync(`${path}.new`, "w", 0o600);
  writeSync(file, JSON.stringify(journal));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
}

async function plan(list, message, path) {
  if (existsSync(path)) throw new Error(`${path} is there already: it may be of a send that has begun`);
  if (message.length < 1 || message.length > 1600) throw new Error(`the message has ${message.length} UTF-16 code units; 1 to 1,600 are allowed`);
  const people = new Set(), dropped = [];
  for (const number of readFileSync(list, "utf8").split("\n").map((line) => line.trim()).filter(Boolean)) {
    const plain = e164(number);
    if (!plain) dropped.push({ number, why: "not a Ugandan number" });
    else if (people.has(plain)) dropped.push({ number, why: "twice" });
    else people.add(plain);
  }
  const account = await balance();
  const units = Math.ceil(message.length / 160), price = account.cost_per_sms;
  const cost = Math.ceil(units * people.size * price);
  const size = Number(setting("BULK_BATCH", "500")), numbers = [...people], batches = [];
  for (let at = 0; at < numbers.length; at += size) batches.push({ numbers: numbers.slice(at, at + size), state: "pending" });
  save(path, { message, units, price, cost, batches });
  console.log(JSON.stringify({ people: people.size, units, cost, balance: account.balance, balance_after: account.balance - cost, dropped }));
}

async function run(path, confirmed) {
  const journal = JSON.parse(readFileSync(path, "utf8"));
  const { batches } = journal;
  for (const batch of batches) if (batch.state === "sending") batch.state = "unknown"; // the program ended before its outcome was known
  save(path, journal);
  const pending = batches.filter((batch) => batch.state === "pending");
  if (pending.length > 0) {
    const account = await balance();
    const due = pending.flatMap((batch) => batch.numbers).length * journal.units * account.cost_per_sms;
    if (String(journal.cost) !== confirmed || account.cost_per_sms !== journal.price || account.balance < due) {
      console.log(JSON.stringify({ status: "stopped" }));
      return 1;
    }
  }
  for (const batch of pending) {
    batch.state = "sending";
    save(path, journal);
    try {
      await send(batch.numbers, journal.message);
      batch.state = "sent";
    } catch (error) {
      if (!(error instanceof WesendallError)) throw error;
      console.error(error.message);
      batch.state = error.outcome === "failed" ? "pending" : error.outcome;
    }
    save(path, journal);
    if (batch.state !== "sent") break;
  }
  const count = (state) => batches.filter((batch) => batch.state === state).length;
  const counts = { sent: count("sent"), refused: count("refused"), unknown: count("unknown"), pending: count("pending") };
  const status = counts.sent === batches.length ? "sent" : counts.unknown ? "unknown" : "incomplete";
  console.log(JSON.stringify({ status, ...counts }));
  return { sent: 0, unknown: 3 }[status] ?? 1;
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command === "plan" && args.length === 3) await plan(...args);
  else if (command === "send" && args.length === 2) process.exitCode = await run(...args);
  else throw new Error("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
