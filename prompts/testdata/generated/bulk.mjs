// Written from the generated prompt alone (use case bulk, JavaScript, no framework).
//
// One message to many people over Wesendall, for Node.js 20 and later.
//
//   node bulk.mjs plan LIST MESSAGE JOURNAL   reads the numbers (one a line) and writes the plan; sends nothing
//   node bulk.mjs send JOURNAL COST           sends what is pending, if COST is the plan's cost
//
// `plan` prints {people, units, cost, balance, dropped}: `units` is what one person's message takes.
// `send` prints {status, sent, refused, unknown, pending}, which counts batches, or {"status": "stopped"}.
// Exits 0 if all are sent, 3 if any is unknown, else 1. Notes for the operator go to stderr.
//
// Environment: WESENDALL_API_KEY, WESENDALL_API_SECRET, WESENDALL_WALLET_ID, WESENDALL_BASE_URL;
// BULK_BATCH (numbers in a batch, 1 to 500), BULK_STOP (for plan: a file of those who said stop, one a line).
//
// A refused or unknown batch is never sent again. A person who has looked at the history and the
// balance may set its `state` in the journal back to "pending".

import { closeSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const UNIT_LENGTH = 160;
const MAX_LENGTH = 1_600;
const MAX_BATCH = 500;

const config = readConfig();

function readConfig() {
  const required = ["WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"];
  const missing = required.filter((name) => !process.env[name]);
  if (missing.length > 0) quit(`set ${missing.join(", ")}`);

  const { env } = process;
  const baseURL = env.WESENDALL_BASE_URL || "https://www.wesendall.com";
  if (!URL.canParse(baseURL)) quit("WESENDALL_BASE_URL is not a URL");
  const batchSize = Number(env.BULK_BATCH || MAX_BATCH);
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > MAX_BATCH) {
    quit(`BULK_BATCH must be a whole number from 1 to ${MAX_BATCH}`);
  }

  return {
    baseURL,
    authorization: `Basic ${Buffer.from(`${env.WESENDALL_API_KEY}:${env.WESENDALL_API_SECRET}`).toString("base64")}`,
    walletId: env.WESENDALL_WALLET_ID,
    stopList: env.BULK_STOP,
    batchSize,
  };
}

function quit(message) {
  tellOperator(message);
  process.exit(1);
}

function tellOperator(message) {
  console.error(`bulk: ${message}`);
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
  // code: the API's own, if any.
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

async function readBalance() {
  const { balance, cost_per_sms: price } = await withOneRepeat(
    () => call("GET", "/api/v1/account/balance"),
    (error) => error.transient,
  );
  if (!Number.isFinite(balance) || !Number.isFinite(price)) {
    throw new WesendallError("failed", "the answer holds no balance and price");
  }
  return { balance, price };
}

// Only a send to one number may be repeated, and only after a refunded send_failed.
function send(recipients, message) {
  return withOneRepeat(
    () => call("POST", "/api/v1/sms/send", { message, recipient: recipients }),
    (error) => recipients.length === 1 && error.outcome === "refused" && error.code === "send_failed",
  );
}

// --- The journal -----------------------------------------------------------
//
// {message, people, units, price, cost, batches: [{state, recipients, ...}]}, where state is one of
// pending, sending, sent, refused, unknown. Each change is on the disk before the next step.

// Never over a journal that is there: linking fails where the name is taken.
function createJournal(path, journal) {
  const draft = writeDraft(path, journal);
  try {
    linkSync(draft, path);
  } catch (error) {
    if (error.code === "EEXIST") throw new Error(`${path} is there already; a new plan needs a new journal`);
    throw error;
  } finally {
    rmSync(draft);
  }
  syncDirectory(path);
}

function saveJournal(path, journal) {
  renameSync(writeDraft(path, journal), path);
  syncDirectory(path);
}

function writeDraft(path, journal) {
  const draft = `${path}.${process.pid}.tmp`;
  const file = openSync(draft, "w", 0o600);
  try {
    writeFileSync(file, `${JSON.stringify(journal, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return draft;
}

function syncDirectory(path) {
  if (process.platform === "win32") return; // directories cannot be opened there
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

// Two runs on one journal would text people twice. A lock is a file that holds its owner's process
// id; linking makes it appear whole or not at all.
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

// --- Numbers and batches ---------------------------------------------------

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

function readLines(path) {
  return readFileSync(path, "utf8")
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function readStopList() {
  if (!config.stopList) {
    tellOperator("BULK_STOP is not set: nobody is left out for having said stop");
    return new Set();
  }
  const lines = readLines(config.stopList);
  for (const line of lines.filter((one) => !normaliseNumber(one))) {
    tellOperator(`the stop list holds "${line}", which is no Ugandan number`);
  }
  return new Set(lines.map(normaliseNumber));
}

// Sorts the lines of a list into people to text and lines dropped, with the reason.
function sift(lines, stopped) {
  const people = new Set();
  const dropped = [];
  for (const line of lines) {
    const number = normaliseNumber(line);
    if (!number) dropped.push({ number: line, reason: "invalid" });
    else if (stopped.has(number)) dropped.push({ number: line, reason: "stop" });
    else if (people.has(number)) dropped.push({ number: line, reason: "duplicate" });
    else people.add(number);
  }
  return { people: [...people], dropped };
}

function toBatches(recipients) {
  const batches = [];
  for (let i = 0; i < recipients.length; i += config.batchSize) {
    batches.push({ state: "pending", recipients: recipients.slice(i, i + config.batchSize) });
  }
  return batches;
}

function inState(journal, state) {
  return journal.batches.filter((batch) => batch.state === state);
}

function pendingPeople(journal) {
  return inState(journal, "pending").flatMap((batch) => batch.recipients);
}

// --- The two commands ------------------------------------------------------

async function plan(listPath, message, journalPath) {
  if (message.length < 1 || message.length > MAX_LENGTH) {
    quit(`the message has ${message.length} UTF-16 code units; it must have 1 to ${MAX_LENGTH}`);
  }
  const { people, dropped } = sift(readLines(listPath), readStopList());

  const { balance, price } = await readBalance();
  const units = Math.ceil(message.length / UNIT_LENGTH);
  const cost = units * people.length * price;

  if (people.length > 0) {
    createJournal(journalPath, { message, people: people.length, units, price, cost, batches: toBatches(people) });
  } else {
    tellOperator("there is nobody to text: no journal was written");
    process.exitCode = 1;
  }
  console.log(JSON.stringify({ people: people.length, units, cost, balance, dropped }));
  tellOperator(`balance afterwards: ${balance - cost}${cost > balance ? " (too little: nothing can be sent)" : ""}`);
}

async function sendPlan(journalPath, confirmedCost) {
  const lock = `${journalPath}.lock`;
  if (!tryLock(lock)) {
    removeStaleLock(lock);
    if (!tryLock(lock)) return stop(`another run holds ${lock}`);
  }
  try {
    await sendPending(journalPath, confirmedCost);
  } finally {
    rmSync(lock);
  }
}

async function sendPending(journalPath, confirmedCost) {
  const journal = JSON.parse(readFileSync(journalPath, "utf8"));
  if (!/^\d+(\.\d+)?$/.test(confirmedCost) || Number(confirmedCost) !== journal.cost) {
    return stop(`the confirmed cost ${confirmedCost} is not the plan's, ${journal.cost}`);
  }

  // A run that broke off left its batch in "sending": it may have gone out.
  for (const batch of inState(journal, "sending")) batch.state = "unknown";
  saveJournal(journalPath, journal);

  const recipients = pendingPeople(journal);
  if (recipients.length > 0) {
    const objection = await objectionToSending(journal, recipients.length);
    if (objection) return stop(objection);

    // What is pending was never sent, so it can be cut anew if BULK_BATCH is another today.
    journal.batches = [...journal.batches.filter(({ state }) => state !== "pending"), ...toBatches(recipients)];
    saveJournal(journalPath, journal);

    for (const batch of inState(journal, "pending")) {
      await sendBatch(journalPath, journal, batch);
      if (batch.state !== "sent") break;
    }
  }

  report(journal);
  await summarise(journal);
}

// Why nothing may be sent now, or null.
async function objectionToSending(journal, people) {
  try {
    const { balance, price } = await readBalance();
    const cost = journal.units * people * price;
    if (price !== journal.price) return `the price changed from ${journal.price} to ${price}: it needs agreement again`;
    if (balance < cost) return `the balance is ${balance}, what is pending costs ${cost}`;
    return null;
  } catch (error) {
    if (!(error instanceof WesendallError)) throw error;
    return `the balance could not be read: ${error.message}`;
  }
}

async function sendBatch(journalPath, journal, batch) {
  Object.assign(batch, { state: "sending", startedAt: new Date().toISOString() });
  saveJournal(journalPath, journal);
  try {
    const data = await send(batch.recipients, journal.message);
    Object.assign(batch, { state: "sent", data });
  } catch (error) {
    if (!(error instanceof WesendallError)) throw error;
    // What failed never reached the API, so it may be sent later.
    const state = error.outcome === "failed" ? "pending" : error.outcome;
    Object.assign(batch, { state, code: error.code });
    tellOperator(`batch ${journal.batches.indexOf(batch) + 1} of ${journal.batches.length}: ${error.message}`);
  }
  batch.endedAt = new Date().toISOString();
  saveJournal(journalPath, journal);
}

function stop(reason) {
  tellOperator(`nothing was sent: ${reason}`);
  console.log(JSON.stringify({ status: "stopped" }));
  process.exitCode = 1;
}

function report(journal) {
  const counts = {};
  for (const state of ["sent", "refused", "unknown", "pending"]) counts[state] = inState(journal, state).length;
  const status = ["unknown", "refused", "pending"].find((state) => counts[state] > 0) ?? "sent";
  console.log(JSON.stringify({ status, ...counts }));
  process.exitCode = { sent: 0, unknown: 3 }[status] ?? 1;
}

async function summarise(journal) {
  for (const state of ["sent", "refused", "unknown", "pending"]) {
    const batches = inState(journal, state);
    const people = batches.reduce((sum, { recipients }) => sum + recipients.length, 0);
    if (people > 0) tellOperator(`${state}: ${people} people in ${batches.length} batches`);
  }
  if (inState(journal, "unknown").length + inState(journal, "refused").length > 0) {
    tellOperator("some people of a refused or unknown batch may have got it: look at the history and the balance first");
  }
  try {
    const { balance } = await readBalance();
    tellOperator(`${journal.people} people in all; balance now ${balance}`);
  } catch (error) {
    tellOperator(`${journal.people} people in all; the balance could not be read: ${error.message}`);
  }
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command === "plan" && args.length === 3) await plan(...args);
  else if (command === "send" && args.length === 2) await sendPlan(...args);
  else quit("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST");
} catch (error) {
  quit(error.message);
}
