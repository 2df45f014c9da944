// Written from the generated prompt alone (use case otp, JavaScript, no framework).
//
// One-time codes by SMS over Wesendall, for Node.js 20 and later.
//
//   node otp.mjs request NUMBER        sends a code
//   node otp.mjs verify NUMBER CODE    checks what the person typed
//
// Prints one JSON line {"status", "code"}, where `code` is the API's error code, if any.
// Exits 0 for sent and right, 3 for unknown, else 1. Notes for the operator go to stderr.
//
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, WESENDALL_BASE_URL;
// OTP_STORE (the JSON file), OTP_KEY (keys the hashes), OTP_NOW (Unix seconds; by default the clock),
// OTP_ASKER (the address or account that asks; without it all askers share one limit).

import { createHmac, randomInt, randomUUID, timingSafeEqual } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const APP = "App";
const CODE_LIFETIME = 5 * 60;
const MAX_WRONG = 5;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NUMBER_PER_HOUR = 5;
const ASKER_PER_HOUR = 20;
const BALANCE_EVERY = HOUR;
const MIN_CODES_A_DAY = 20; // warn below this even on a quiet day

const config = readConfig();

function readConfig() {
  const required = ["WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID", "OTP_STORE", "OTP_KEY"];
  const missing = required.filter((name) => !process.env[name]);
  if (missing.length > 0) quit(`set ${missing.join(", ")}`);

  const { env } = process;
  const baseURL = env.WESENDALL_BASE_URL || "https://www.wesendall.com";
  if (!URL.canParse(baseURL)) quit("WESENDALL_BASE_URL is not a URL");
  const now = env.OTP_NOW ? Number(env.OTP_NOW) : Math.floor(Date.now() / 1000);
  if (!Number.isFinite(now)) quit("OTP_NOW is not a number of seconds");

  return {
    baseURL,
    authorization: `Basic ${Buffer.from(`${env.WESENDALL_API_KEY}:${env.WESENDALL_API_SECRET}`).toString("base64")}`,
    walletId: env.WESENDALL_WALLET_ID,
    store: env.OTP_STORE,
    hashKey: env.OTP_KEY,
    asker: env.OTP_ASKER || "unnamed",
    now,
  };
}

function quit(message) {
  tellOperator(message);
  process.exit(1);
}

function tellOperator(message) {
  console.error(`otp: ${message}`);
}

// --- The API ---------------------------------------------------------------

// The documented refusals: nothing was done, and nothing stays charged.
const REFUSALS = {
  invalid_credentials: 401,
  key_revoked: 401,
  wallet_forbidden: 403,
  insufficient_balance: 402,
  validation_failed: 422,
  send_failed: 502,
};
const NEVER_CONNECTED = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"];
const TRANSIENT = [429, 500, 502, 503, 504];
const LONGEST_RETRY_AFTER = 60;

class WesendallError extends Error {
  // outcome: refused, failed (nothing happened) or unknown (it may have).
  // code: the API's own, if any. The API's message is left out: it could repeat the text, and so the code.
  constructor(outcome, reason, { code, transient = false, retryAfter = 0 } = {}) {
    super(`${outcome}: ${reason}`);
    Object.assign(this, { outcome, code, transient, retryAfter });
  }
}

// Makes exactly one request; resolves to the data of a success, else throws a WesendallError.
async function call(method, path, params) {
  const isGet = method === "GET";
  const url = new URL(path, config.baseURL);
  const headers = { Authorization: config.authorization, Accept: "application/json" };
  let body;
  if (isGet) {
    url.search = new URLSearchParams({ walletId: config.walletId, ...params });
  } else {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify({ walletId: config.walletId, ...params });
  }

  let response, text;
  try {
    const signal = AbortSignal.timeout(isGet ? 30_000 : 45_000);
    response = await fetch(url, { method, headers, body, redirect: "manual", signal });
    text = await response.text();
  } catch (error) {
    const harmless = isGet || NEVER_CONNECTED.includes(error.cause?.code);
    throw new WesendallError(harmless ? "failed" : "unknown", `no answer (${error.cause?.code ?? error.name})`, {
      transient: error.name !== "TimeoutError",
    });
  }

  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // not JSON: judged below
  }
  const said = isGet ? answer?.success !== false : [undefined, true].includes(answer?.success);
  if (response.ok && answer instanceof Object && answer.error == null && said) return answer.data ?? answer;

  const found = answer?.error?.code ?? answer?.code;
  const code = typeof found === "string" ? found : undefined;
  const refused = REFUSALS[code] === response.status;
  throw new WesendallError(refused ? "refused" : isGet ? "failed" : "unknown", `HTTP ${response.status} ${code ?? ""}`.trim(), {
    code,
    transient: TRANSIENT.includes(response.status),
    retryAfter: parseRetryAfter(response.headers.get("retry-after")),
  });
}

function parseRetryAfter(value) {
  if (!value) return 0;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Math.max(0, seconds || 0);
}

// Runs an attempt, and once more if it threw what `mayRepeat` allows.
async function withOneRepeat(attempt, mayRepeat) {
  try {
    return await attempt();
  } catch (error) {
    if (!mayRepeat(error) || error.retryAfter > LONGEST_RETRY_AFTER) throw error;
    await sleep(250 + Math.random() * 500 + error.retryAfter * 1000);
    return attempt();
  }
}

function readBalance() {
  return withOneRepeat(
    () => call("GET", "/api/v1/account/balance"),
    (error) => error.transient,
  );
}

// To one number alone: only that may be repeated, and only after a refunded send_failed.
function sendToOne(recipient, message) {
  return withOneRepeat(
    () => call("POST", "/api/v1/sms/send", { message, recipient }),
    (error) => error.outcome === "refused" && error.code === "send_failed",
  );
}

// --- The store -------------------------------------------------------------
//
// codes:     by number, the code that is valid now: {id, hash, expires, wrong}
// requests:  the sends of the last day: {id, number, asker, at, outcome}; one left at "pending" by
//            a crash counts as unknown
// balanceReadAt: when the balance was last read

// Changes the store under a lock. `change` is synchronous, so that the lock is held only for a moment.
async function updateStore(change) {
  const lock = `${config.store}.lock`;
  for (const deadline = Date.now() + 5_000; !tryLock(lock); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`${lock} is held by another run; if there is none, remove it`);
    removeStaleLock(lock);
  }
  try {
    const store = loadStore();
    const result = change(store);
    saveStore(store);
    return result;
  } finally {
    rmSync(lock);
  }
}

function loadStore() {
  let store = {};
  try {
    store = JSON.parse(readFileSync(config.store, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  const { codes = {}, requests = [], balanceReadAt = null } = store;
  const dayAgo = config.now - DAY;
  return {
    codes: Object.fromEntries(Object.entries(codes).filter(([, { expires }]) => expires > dayAgo)),
    requests: requests.filter(({ at }) => at > dayAgo),
    balanceReadAt,
  };
}

function saveStore(store) {
  const draft = `${config.store}.${process.pid}.tmp`;
  const file = openSync(draft, "w", 0o600);
  try {
    writeFileSync(file, `${JSON.stringify(store, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, config.store);
}

// A lock is a file that holds its owner's process id; linking makes it appear whole or not at all.
function tryLock(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

// Only whoever holds the takeover lock may remove a dead owner's lock, so no living one is removed.
function removeStaleLock(path) {
  const takeover = `${path}.takeover`;
  if (!tryLock(takeover)) return;
  try {
    if (ownerIsDead(path)) rmSync(path);
  } finally {
    rmSync(takeover);
  }
}

function ownerIsDead(path) {
  try {
    const owner = Number(readFileSync(path, "utf8"));
    if (owner === process.pid) return true; // an earlier process that had our id
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

// --- Codes and numbers -----------------------------------------------------

// To E.164, or null for what is no Ugandan number.
function normaliseNumber(input) {
  const number = input
    .replace(/[\s\p{Pd}.()[\]{}]/gu, "")
    .replace(/^00/, "+")
    .replace(/^0(?=\d{9}$)/, "+256")
    .replace(/^(?=7\d{8}$)/, "+256")
    .replace(/^(?=256\d{9}$)/, "+");
  return /^\+256\d{9}$/.test(number) ? number : null;
}

function hashCode(id, number, code) {
  return createHmac("sha256", config.hashKey).update(`${id}:${number}:${code}`).digest("hex");
}

function matches(entry, number, code) {
  return timingSafeEqual(Buffer.from(entry.hash, "hex"), Buffer.from(hashCode(entry.id, number, code), "hex"));
}

function mayAsk(requests, number, asker) {
  const lately = (seconds) => requests.filter(({ at }) => at > config.now - seconds);
  const lastHour = lately(HOUR);
  return (
    !lately(MINUTE).some((request) => request.number === number) &&
    lastHour.filter((request) => request.number === number).length < NUMBER_PER_HOUR &&
    lastHour.filter((request) => request.asker === asker).length < ASKER_PER_HOUR
  );
}

// --- The two commands ------------------------------------------------------

async function request(input) {
  const number = normaliseNumber(input);
  if (!number) return report("invalid");

  const id = randomUUID();
  const code = String(randomInt(1_000_000)).padStart(6, "0");

  // The code and the intent are stored before the call; a new code replaces the old one.
  // Every try counts, whatever becomes of it: a stranger must not be able to hammer the API.
  const allowed = await updateStore((store) => {
    if (!mayAsk(store.requests, number, config.asker)) return false;
    store.codes[number] = { id, hash: hashCode(id, number, code), expires: config.now + CODE_LIFETIME, wrong: 0 };
    store.requests.push({ id, number, asker: config.asker, at: config.now, outcome: "pending" });
    return true;
  });
  if (!allowed) return report("limited");

  const { status, errorCode } = await sendCode(number, code);

  let balanceIsDue = false;
  try {
    balanceIsDue = await updateStore((store) => {
      const entry = store.requests.find((one) => one.id === id);
      if (entry) entry.outcome = status;
      const nothingSent = status === "refused" || status === "failed";
      if (nothingSent && store.codes[number]?.id === id) delete store.codes[number];

      const due = status === "sent" && (store.balanceReadAt === null || config.now - store.balanceReadAt >= BALANCE_EVERY);
      if (due) store.balanceReadAt = config.now;
      return due;
    });
  } catch (error) {
    tellOperator(`the outcome "${status}" could not be stored: ${error.message}`);
  }

  report(status, errorCode);
  if (balanceIsDue) await warnOfLowBalance();
}

async function sendCode(number, code) {
  try {
    // The body of a success is undocumented and may repeat the text with the code: it is not kept.
    await sendToOne(number, `Your ${APP} code is ${code}. It expires in 5 minutes. Tell it to nobody.`);
    return { status: "sent" };
  } catch (error) {
    if (!(error instanceof WesendallError)) throw error;
    const advice = {
      refused: "no code was sent",
      failed: "no code was sent; trying later is safe",
      unknown: "the code may arrive and stays valid; do not send again unless the person asks",
    };
    tellOperator(`${error.message}: ${advice[error.outcome]}`);
    return { status: error.outcome, errorCode: error.code };
  }
}

async function warnOfLowBalance() {
  try {
    const { balance, cost_per_sms: price, currency } = await readBalance();
    const { requests } = loadStore();
    const codesADay = Math.max(requests.length, MIN_CODES_A_DAY);
    if (!(balance >= codesADay * price)) {
      tellOperator(`the balance of ${balance} ${currency} pays for fewer than a day's codes (${codesADay} at ${price}): top it up`);
    }
  } catch (error) {
    tellOperator(`the balance could not be read: ${error.message}`);
  }
}

async function verify(input, typed) {
  const number = normaliseNumber(input);
  const code = typed.replace(/[\s-]/g, "");
  const status = await updateStore(({ codes }) => {
    const entry = number ? codes[number] : undefined;
    if (!entry) return "ended";
    if (config.now >= entry.expires) return "expired";
    if (matches(entry, number, code)) {
      delete codes[number]; // works once
      return "right";
    }
    entry.wrong += 1;
    if (entry.wrong >= MAX_WRONG) delete codes[number];
    return "wrong";
  });
  report(status);
}

function report(status, code) {
  console.log(JSON.stringify({ status, code }));
  process.exitCode = { sent: 0, right: 0, unknown: 3 }[status] ?? 1;
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command === "request" && args.length === 1) await request(...args);
  else if (command === "verify" && args.length === 2) await verify(...args);
  else quit("usage: otp request NUMBER | otp verify NUMBER CODE");
} catch (error) {
  quit(error.message);
}
