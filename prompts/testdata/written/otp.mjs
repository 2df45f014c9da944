// Written from the prompt alone: otp.md was all its author knew of the service.
//
//   node otp.mjs request NUMBER        sends a one-time code
//   node otp.mjs verify NUMBER CODE    checks what the person typed
//
// Prints one JSON line {"status", "code"}; everything for the operator goes to
// stderr. A code is never printed, logged or kept in the clear.
//
// Beyond the variables of the briefing, OTP_ASKER (optional) is the address or
// account that asks: a server sets it for each caller. Without it, all callers
// share one limit.

import { createHmac, randomInt, randomUUID, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const CODE_LIFETIME = 5 * MINUTE;
const WRONG_TRIES = 5;
const CODES_A_MINUTE = 1; // for a number
const CODES_AN_HOUR = 5; // for a number
const ASKER_CODES_AN_HOUR = 30; // for an address or account
const BALANCE_EVERY = HOUR; // how often the balance is read
const DAY_AT_LEAST = 20; // a day's codes while there is too little to count

const EXIT = { sent: 0, right: 0, unknown: 3 }; // all other statuses: 1

const messageFor = (code) => `Your App code is ${code}. It expires in 5 minutes. Tell it to nobody.`;

// --- settings ---

function readConfig(env) {
  const required = ["WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID", "OTP_STORE", "OTP_KEY"];
  const missing = required.filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`not set: ${missing.join(", ")}`);
  const baseURL = env.WESENDALL_BASE_URL || "https://www.wesendall.com";
  const url = URL.canParse(baseURL) ? new URL(baseURL) : null;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username || url.password) {
    throw new Error("WESENDALL_BASE_URL is not a plain http(s) address");
  }
  const now = env.OTP_NOW ? Number(env.OTP_NOW) : Math.floor(Date.now() / 1000);
  if (!Number.isFinite(now)) throw new Error("OTP_NOW is not a number of seconds");
  return {
    key: env.WESENDALL_API_KEY,
    secret: env.WESENDALL_API_SECRET,
    walletId: env.WESENDALL_WALLET_ID,
    baseURL,
    storePath: env.OTP_STORE,
    hashKey: env.OTP_KEY,
    asker: `asker:${env.OTP_ASKER || ""}`,
    now,
  };
}

// Tells the operator something.
const tell = (text) => console.error(`otp: ${text}`);

// --- the API ---

// The documented refusals: nothing was done, and nothing stays charged.
const REFUSALS = {
  invalid_credentials: 401,
  key_revoked: 401,
  wallet_forbidden: 403,
  insufficient_balance: 402,
  validation_failed: 422,
  send_failed: 502,
};

// One HTTP request, never repeated here. Resolves to {outcome, ...} with
// outcome done, refused, failed (nothing happened) or unknown (it may have).
// `code` is the API's own error code or null; `reason` is for the operator and
// never quotes a body, which could hold the text of the message.
async function callOnce(config, method, path, params) {
  const url = new URL(path, config.baseURL);
  const isGet = method === "GET";
  const all = { walletId: config.walletId, ...params };
  if (isGet) url.search = new URLSearchParams(all);
  let response, text;
  try {
    response = await fetch(url, {
      method,
      headers: {
        Authorization: `Basic ${Buffer.from(`${config.key}:${config.secret}`).toString("base64")}`,
        ...(!isGet && { "Content-Type": "application/json" }),
      },
      body: isGet ? undefined : JSON.stringify(all),
      redirect: "manual",
      signal: AbortSignal.timeout(isGet ? 30_000 : 45_000),
    });
    text = await response.text();
  } catch (error) {
    const unsent = ["ECONNREFUSED", "ENOTFOUND"].includes(error.cause?.code);
    return {
      outcome: isGet || unsent ? "failed" : "unknown",
      code: null,
      reason: `no answer (${error.cause?.code ?? error.name})`,
      lost: error.name !== "TimeoutError",
    };
  }
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // not JSON: judged below
  }
  if (response.ok && answer && answer.success !== false) return { outcome: "done", data: answer.data ?? answer };
  const found = answer?.error?.code ?? answer?.code;
  const code = typeof found === "string" ? found : null;
  const refused = code !== null && REFUSALS[code] === response.status;
  return {
    outcome: refused ? "refused" : isGet ? "failed" : "unknown",
    code,
    reason: `HTTP ${response.status} ${code ?? "without a code"}`,
    status: response.status,
    retryAfter: Number(response.headers.get("retry-after")) || 0,
  };
}

const pause = (extraSeconds = 0) => sleep(250 + Math.random() * 500 + extraSeconds * 1000);

// A read, repeated at most once.
async function get(config, path) {
  const first = await callOnce(config, "GET", path);
  const passing = first.lost || [429, 500, 502, 503, 504].includes(first.status);
  if (first.outcome === "done" || !passing || first.retryAfter > MINUTE) return first;
  await pause(first.retryAfter);
  return callOnce(config, "GET", path);
}

// A send to one number, repeated once and only after 502 send_failed.
async function sendToOne(config, recipient, message) {
  const send = () => callOnce(config, "POST", "/api/v1/sms/send", { message, recipient });
  const first = await send();
  if (first.outcome !== "refused" || first.code !== "send_failed") return first;
  await pause();
  return send();
}

// --- numbers ---

// The E.164 form of a Ugandan number, or null.
function normalise(input) {
  let number = input.replace(/[\s.()[\]\-\u2010-\u2015\u2212]/g, "");
  if (number.startsWith("00")) number = `+${number.slice(2)}`;
  else if (/^0?7\d{8}$/.test(number)) number = `+256${number.replace(/^0/, "")}`;
  else if (/^256\d{9}$/.test(number)) number = `+${number}`;
  return /^\+256\d{9}$/.test(number) ? number : null;
}

// --- the store ---
//
// {
//   numbers: {"+256…": {asked: [seconds], current: {id, hash, expires, wrong, used, send} | null}},
//   askers: {"asker:…": [seconds]},
//   balanceReadAt: seconds
// }

function readStore(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return { numbers: {}, askers: {}, balanceReadAt: null };
    throw new Error(`cannot read the store: ${error.message}`); // never start afresh: the limits live there
  }
}

function writeStore(path, store) {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, JSON.stringify(store, null, 2), { mode: 0o600, flush: true });
  renameSync(draft, path);
}

// Reads the store, lets `change` alter it, and writes it: one process at a
// time. It is held for milliseconds, so an old lock is that of a crash.
async function updateStore(path, change) {
  const lock = `${path}.lock`;
  for (;;) {
    try {
      writeFileSync(lock, "", { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 5_000) rmSync(lock, { force: true });
      else await sleep(20);
    }
  }
  try {
    const store = readStore(path);
    const result = change(store);
    writeStore(path, store);
    return result;
  } finally {
    rmSync(lock, { force: true });
  }
}

// Forgets what is older than a day.
function prune(store, now) {
  const recent = (times) => times.filter((time) => now - time < DAY);
  for (const [number, entry] of Object.entries(store.numbers)) {
    entry.asked = recent(entry.asked);
    if (entry.asked.length === 0) delete store.numbers[number];
  }
  for (const [asker, times] of Object.entries(store.askers)) {
    store.askers[asker] = recent(times);
    if (store.askers[asker].length === 0) delete store.askers[asker];
  }
}

// --- commands ---

const hashOf = (config, id, number, code) =>
  createHmac("sha256", config.hashKey).update(`${id}:${number}:${code}`).digest("hex");

async function request(config, input) {
  const number = normalise(input);
  if (!number) {
    tell(`not a Ugandan number: ${JSON.stringify(input)}`);
    return { status: "invalid" };
  }
  const { now, asker, storePath } = config;
  const id = randomUUID();
  const code = randomInt(1_000_000).toString().padStart(6, "0");

  // Every ask counts, however its send ends, and is written before the call.
  const allowed = await updateStore(storePath, (store) => {
    prune(store, now);
    const asked = store.numbers[number]?.asked ?? [];
    const askedBy = store.askers[asker] ?? [];
    const within = (times, span) => times.filter((time) => now - time < span).length;
    if (within(asked, MINUTE) >= CODES_A_MINUTE || within(asked, HOUR) >= CODES_AN_HOUR) return false;
    if (within(askedBy, HOUR) >= ASKER_CODES_AN_HOUR) return false;
    const hash = hashOf(config, id, number, code);
    const current = { id, hash, expires: now + CODE_LIFETIME, wrong: 0, used: false, send: "sending" };
    store.numbers[number] = { asked: [...asked, now], current };
    store.askers[asker] = [...askedBy, now];
    return true;
  });
  if (!allowed) return { status: "limited" };

  const result = await sendToOne(config, number, messageFor(code));
  const status = result.outcome === "done" ? "sent" : result.outcome;
  await recordOutcome(config, number, id, status);
  if (status === "unknown") tell(`unknown: ${result.reason}. The code may arrive and stays valid; it is not sent again.`);
  if (status === "refused" || status === "failed") tell(`${status}: ${result.reason}. No code was sent.`);
  return { status, code: result.code };
}

// Keeps the code that was sent or may have been; drops the one that was not.
async function recordOutcome(config, number, id, status) {
  try {
    await updateStore(config.storePath, (store) => {
      const entry = store.numbers[number];
      if (entry?.current?.id !== id) return; // a newer request took its place
      if (status === "refused" || status === "failed") entry.current = null;
      else entry.current.send = status;
    });
  } catch (error) {
    tell(`the outcome (${status}) could not be written: ${error.message}`);
  }
}

async function verify(config, input, typed) {
  const number = normalise(input);
  if (!number) return { status: "ended" }; // there is no code for it
  return updateStore(config.storePath, (store) => {
    const current = store.numbers[number]?.current;
    if (!current || current.used || current.wrong >= WRONG_TRIES) return { status: "ended" };
    if (config.now >= current.expires) return { status: "expired" };
    const hash = hashOf(config, current.id, number, typed.replace(/\s/g, ""));
    if (timingSafeEqual(Buffer.from(hash, "hex"), Buffer.from(current.hash, "hex"))) {
      current.used = true;
      return { status: "right" };
    }
    current.wrong += 1;
    return { status: "wrong" };
  });
}

// Now and then, after a code was sent: warns when the wallet runs low.
async function watchBalance(config) {
  const codes = await updateStore(config.storePath, (store) => {
    if (store.balanceReadAt !== null && Math.abs(config.now - store.balanceReadAt) < BALANCE_EVERY) return null;
    store.balanceReadAt = config.now;
    return Object.values(store.numbers).reduce((sum, entry) => sum + entry.asked.length, 0);
  });
  if (codes === null) return;
  const { outcome, data, reason } = await get(config, "/api/v1/account/balance");
  if (outcome !== "done") return tell(`the balance could not be read: ${reason}`);
  const { balance, currency, cost_per_sms: price } = data;
  if (!Number.isFinite(balance) || !(price > 0)) return tell("the balance could not be read: no balance or price in it");
  const aDay = Math.max(codes, DAY_AT_LEAST);
  const left = Math.floor(balance / price);
  if (left < aDay) tell(`WARNING: ${currency} ${balance} pays for ${left} codes; a day takes about ${aDay}. Top the wallet up.`);
}

// --- main ---

async function main([command, ...args]) {
  const usage = { request: 1, verify: 2 };
  if (!Object.hasOwn(usage, command ?? "") || args.length !== usage[command]) {
    throw new Error("usage: otp request NUMBER | otp verify NUMBER CODE");
  }
  const config = readConfig(process.env);
  const run = command === "request" ? request : verify;
  const { status, code = null } = await run(config, ...args);
  console.log(JSON.stringify({ status, code }));
  process.exitCode = EXIT[status] ?? 1;
  if (status === "sent") await watchBalance(config).catch((error) => tell(error.message));
}

main(process.argv.slice(2)).catch((error) => {
  tell(error.message); // before any call: nothing was sent
  process.exitCode = 1;
});
