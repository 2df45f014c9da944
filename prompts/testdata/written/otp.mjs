// Written from the generated prompt alone (use case otp, JavaScript, no framework).
// One-time codes by SMS: `otp.mjs request NUMBER` and `otp.mjs verify NUMBER CODE`.
import { createHmac, randomInt, timingSafeEqual } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const lifetime = 300, cooldown = 60, hour = 3600; // seconds
const perHour = 5, tries = 5;
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
  constructor(outcome, code) {
    super(`${outcome}: ${code}`);
    Object.assign(this, { outcome, code });
  }
}

async function post(params) {
  const key = setting("WESENDALL_API_KEY"), secret = setting("WESENDALL_API_SECRET");
  const body = JSON.stringify({ walletId: setting("WESENDALL_WALLET_ID"), ...params });
  let response, text;
  try {
    response = await fetch(new URL("/api/v1/sms/send", setting("WESENDALL_BASE_URL", "https://www.wesendall.com")), {
      method: "POST",
      headers: { Authorization: `Basic ${btoa(`${key}:${secret}`)}`, "Content-Type": "application/json" },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(45_000),
    });
    text = await response.text();
  } catch (error) {
    throw new WesendallError(["ECONNREFUSED", "ENOTFOUND"].includes(error.cause?.code) ? "failed" : "unknown", null);
  }
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // not JSON
  }
  if (response.ok && answer && answer.success !== false) return;
  const code = answer?.error?.code ?? answer?.code ?? null;
  throw new WesendallError(refusals[code] === response.status ? "refused" : "unknown", code);
}

// send repeats once after send_failed, and never else: there is one recipient.
async function send(recipient, message) {
  try {
    await post({ recipient, message });
  } catch (error) {
    if (error.outcome !== "refused" || error.code !== "send_failed") throw error;
    await sleep(250 + Math.random() * 500);
    await post({ recipient, message });
  }
}

// e164 is a Ugandan number, or null.
function e164(text) {
  const digits = text.replace(/[\s\-.()]/g, "").replace(/^00/, "+");
  const match = /^(?:\+256(\d{9})|256(\d{9})|0?(7\d{8}))$/.exec(digits);
  return match && `+256${match[1] ?? match[2] ?? match[3]}`;
}

function load(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

function save(path, entries) {
  const file = openSync(`${path}.new`, "w", 0o600);
  writeSync(file, JSON.stringify(entries));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
}

const path = setting("OTP_STORE"), secret = setting("OTP_KEY");
const now = Number(process.env.OTP_NOW || Math.floor(Date.now() / 1000));
const entries = load(path);
const hashed = (number, code) => createHmac("sha256", secret).update(`${number} ${code}`).digest("hex");

async function request(text) {
  const number = e164(text);
  if (!number) return { status: "invalid" };
  const entry = (entries[number] ??= { asked: [] });
  entry.asked = entry.asked.filter((at) => now - at < hour);
  if (entry.asked.length >= perHour || entry.asked.some((at) => now - at < cooldown)) return { status: "limited" };
  const code = String(randomInt(1_000_000)).padStart(6, "0");
  entry.asked.push(now);
  Object.assign(entry, { hash: hashed(number, code), expires: now + lifetime, wrong: 0, outcome: "sending" });
  save(path, entries); // before the call, so that a crash leaves a trace
  let result = { status: "sent" };
  try {
    await send(number, `Your App code is ${code}. It expires in 5 minutes. Tell it to nobody.`);
  } catch (error) {
    if (!(error instanceof WesendallError)) throw error;
    result = { status: error.outcome, code: error.code };
    if (error.outcome !== "unknown") delete entry.hash;
  }
  entry.outcome = result.status;
  save(path, entries);
  return result;
}

function verify(text, code) {
  const number = e164(text), entry = entries[number];
  if (!entry?.hash) return { status: "ended" };
  if (now >= entry.expires) return { status: "expired" };
  const right = timingSafeEqual(Buffer.from(entry.hash), Buffer.from(hashed(number, code)));
  if (!right) entry.wrong += 1;
  if (right || entry.wrong >= tries) delete entry.hash;
  save(path, entries);
  return { status: right ? "right" : "wrong" };
}

const [command, ...args] = process.argv.slice(2);
let result;
if (command === "request" && args.length === 1) result = await request(args[0]);
else if (command === "verify" && args.length === 2) result = verify(...args);
else throw new Error("usage: otp request NUMBER | otp verify NUMBER CODE");
console.log(JSON.stringify({ code: null, ...result }));
process.exitCode = { sent: 0, right: 0, unknown: 3 }[result.status] ?? 1;
