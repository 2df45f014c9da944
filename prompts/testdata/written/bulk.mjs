// Written from the prompt alone: bulk.md was all its author knew of the service.
//
//   node bulk.mjs plan LIST MESSAGE JOURNAL   writes the plan, sends nothing
//   node bulk.mjs send JOURNAL COST           sends what is pending, at the confirmed cost
//
// Prints one JSON line; everything for the person goes to stderr. LIST is a
// file with a number a line, MESSAGE the text itself.
//
// Beyond the variables of the briefing, BULK_STOP (optional) is a file with the
// numbers that said stop, one a line. Whoever decides that a refused or unknown
// batch is to be sent after all sets its state to "pending" in JOURNAL.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const LARGEST_BATCH = 500;
const LONGEST_TEXT = 1600; // UTF-16 code units
const UNIT = 160;

// Tells the person or the operator something.
const tell = (text) => console.error(`bulk: ${text}`);
const print = (value) => console.log(JSON.stringify(value));

// --- settings ---

function readConfig(env) {
  const required = ["WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"];
  const missing = required.filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`not set: ${missing.join(", ")}`);
  const baseURL = env.WESENDALL_BASE_URL || "https://www.wesendall.com";
  const url = URL.canParse(baseURL) ? new URL(baseURL) : null;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username || url.password) {
    throw new Error("WESENDALL_BASE_URL is not a plain http(s) address");
  }
  const batchSize = Number(env.BULK_BATCH || LARGEST_BATCH);
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > LARGEST_BATCH) {
    throw new Error(`BULK_BATCH is not a whole number from 1 to ${LARGEST_BATCH}`);
  }
  return {
    key: env.WESENDALL_API_KEY,
    secret: env.WESENDALL_API_SECRET,
    walletId: env.WESENDALL_WALLET_ID,
    baseURL,
    batchSize,
    stopPath: env.BULK_STOP || null,
  };
}

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

// The balance and the price of a unit; a read, repeated at most once.
// Throws where they cannot be had.
async function readBalance(config) {
  const read = () => callOnce(config, "GET", "/api/v1/account/balance");
  let result = await read();
  const passing = result.lost || [429, 500, 502, 503, 504].includes(result.status);
  if (passing && !(result.retryAfter > 60)) {
    await pause(result.retryAfter);
    result = await read();
  }
  if (result.outcome !== "done") throw new Error(`the balance could not be read: ${result.outcome}, ${result.reason}`);
  const { balance, cost_per_sms: price, currency } = result.data;
  if (!Number.isFinite(balance) || !(price > 0)) throw new Error("the balance could not be read: no balance or price in it");
  return { balance, price, currency };
}

// One batch. A send to one number is repeated once, and only after 502
// send_failed; a send to several never, since some may have got it.
async function sendBatch(config, message, numbers) {
  const send = () => callOnce(config, "POST", "/api/v1/sms/send", { message, recipient: numbers });
  const first = await send();
  if (numbers.length > 1 || first.outcome !== "refused" || first.code !== "send_failed") return first;
  await pause();
  return send();
}

// --- numbers ---

// The E.164 form of a number, or null.
function normalise(input) {
  let number = input.replace(/[\s.()[\]\-\u2010-\u2015\u2212]/g, "");
  if (number.startsWith("00")) number = `+${number.slice(2)}`;
  else if (/^0?7\d{8}$/.test(number)) number = `+256${number.replace(/^0/, "")}`;
  else if (/^256\d{9}$/.test(number)) number = `+${number}`;
  if (number.startsWith("+256")) return /^\+256\d{9}$/.test(number) ? number : null;
  return /^\+[1-9]\d{7,14}$/.test(number) ? number : null;
}

const readLines = (path) => readFileSync(path, "utf8").split(/\r\n|\r|\n/);

// The numbers that said stop. One that cannot be read is an error: it would be texted.
function readStops(path) {
  const stops = new Set();
  for (const line of path ? readLines(path) : []) {
    if (line.trim() === "") continue;
    const number = normalise(line);
    if (!number) throw new Error(`BULK_STOP holds what is not a number: ${JSON.stringify(line)}`);
    stops.add(number);
  }
  return stops;
}

// Sorts the list into people (each once) and dropped lines, with the reason.
function readPeople(path, stops) {
  const people = new Set();
  const dropped = [];
  for (const [index, line] of readLines(path).entries()) {
    if (line.trim() === "") continue;
    const number = normalise(line);
    const why = !number ? "not a phone number" : stops.has(number) ? "said stop" : people.has(number) ? "duplicate" : null;
    if (why) dropped.push({ line: index + 1, number: line.trim(), why });
    else people.add(number);
  }
  return { people: [...people], dropped };
}

// --- the journal ---
//
// {message, people: [number], units, price, cost, dropped,
//  batches: null | [{state, numbers, code, data, started, ended}]}
//
// The first `send` cuts the people into batches and writes them all as pending.

function writeJournal(path, journal) {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, JSON.stringify(journal, null, 2), { mode: 0o600, flush: true });
  renameSync(draft, path);
}

// Keeps a second run away while this one lasts. The lock of a run that died is
// taken over.
function lockJournal(path) {
  const lock = `${path}.lock`;
  try {
    const pid = Number(readFileSync(lock, "utf8"));
    if (isAlive(pid)) throw new Error(`run ${pid} is sending this journal (if it is not, remove ${lock})`);
    rmSync(lock, { force: true });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  writeFileSync(lock, String(process.pid), { flag: "wx" });
  return () => rmSync(lock, { force: true });
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid < 1 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

// --- plan ---

async function plan(config, listPath, message, journalPath) {
  if (existsSync(journalPath)) throw new Error(`${journalPath} exists: it may tell what was sent, and is not replaced`);
  if (message.length < 1 || message.length > LONGEST_TEXT) {
    throw new Error(`the message has ${message.length} UTF-16 code units, and 1 to ${LONGEST_TEXT} are allowed`);
  }
  if (!config.stopPath) tell("BULK_STOP is not set: nobody is left out for having said stop");
  const { people, dropped } = readPeople(listPath, readStops(config.stopPath));
  const { balance, price, currency } = await readBalance(config);
  const units = Math.ceil(message.length / UNIT);
  const cost = units * people.length * price;
  print({ people: people.length, units, cost, balance, dropped });
  for (const { line, number, why } of dropped) tell(`line ${line} dropped: ${number} (${why})`);
  if (people.length === 0) {
    tell("nobody is left to send to: no journal was written");
    return 1;
  }
  writeJournal(journalPath, { message, people, units, price, cost, dropped, batches: null });
  tell(`${people.length} people, ${units} unit(s) each, about ${currency} ${cost}; balance ${balance}, after it ${balance - cost}`);
  if (balance < cost) tell("the balance is too small: send will stop until the wallet is topped up");
  else tell(`to send exactly this: bulk send ${journalPath} ${cost}`);
  return 0;
}

// --- send ---

async function send(config, journalPath, confirmed) {
  const unlock = lockJournal(journalPath);
  try {
    return await sendJournal(config, journalPath, confirmed);
  } finally {
    unlock();
  }
}

function stop(why) {
  tell(`${why}: nothing was sent`);
  print({ status: "stopped" });
  return 1;
}

async function sendJournal(config, journalPath, confirmed) {
  const journal = JSON.parse(readFileSync(journalPath, "utf8"));
  const { message, people, units } = journal;
  const save = () => writeJournal(journalPath, journal);

  if (confirmed.trim() === "" || Number(confirmed) !== journal.cost) return stop("the cost is not the plan's");

  journal.batches ??= cut(people, config.batchSize);
  for (const batch of journal.batches) if (batch.state === "sending") batch.state = "unknown"; // a run died there
  save();

  const pending = journal.batches.filter(({ state }) => state === "pending");
  let before = null;
  if (pending.length > 0) {
    try {
      before = await readBalance(config);
    } catch (error) {
      return stop(error.message);
    }
    const left = pending.reduce((sum, { numbers }) => sum + numbers.length, 0);
    if (before.price > journal.price) return stop(`a unit now costs ${before.price}, and ${journal.price} was confirmed`);
    if (before.balance < units * left * before.price) return stop(`the balance of ${before.balance} is too small`);
  }

  let failed = false;
  for (const batch of pending) {
    Object.assign(batch, { state: "sending", started: new Date().toISOString() });
    save();
    const result = await sendBatch(config, message, batch.numbers);
    const state = { done: "sent", failed: "pending" }[result.outcome] ?? result.outcome;
    Object.assign(batch, { state, ended: new Date().toISOString(), code: result.code ?? null, data: result.data ?? null });
    save();
    if (state === "sent") continue;
    failed = result.outcome === "failed";
    tell(`batch ${journal.batches.indexOf(batch) + 1} is ${result.outcome}: ${result.reason}`);
    break;
  }
  return report(config, journal, before, failed);
}

function cut(people, size) {
  const batches = [];
  for (let at = 0; at < people.length; at += size) {
    batches.push({ state: "pending", numbers: people.slice(at, at + size) });
  }
  return batches;
}

async function report(config, journal, before, failed) {
  const count = { sent: 0, refused: 0, unknown: 0, pending: 0 };
  const reached = { ...count };
  for (const { state, numbers } of journal.batches) {
    count[state] += 1;
    reached[state] += numbers.length;
  }
  const status = count.unknown ? "unknown" : count.refused ? "refused" : failed || count.pending ? "failed" : "sent";
  print({ status, ...count });
  tell(`people: ${Object.entries(reached).map(([state, number]) => `${number} ${state}`).join(", ")}`);
  if (count.unknown) tell("an unknown batch may have been sent: look at the history and the balance; it is not repeated");
  if (count.refused) tell("a refused batch may have reached some people: look at the history, then decide");
  try {
    const { balance, currency } = await readBalance(config);
    tell(`balance: ${currency} ${balance}${before ? `, ${before.balance - balance} less than before this run` : ""}`);
  } catch (error) {
    tell(error.message);
  }
  return status === "sent" ? 0 : status === "unknown" ? 3 : 1;
}

// --- main ---

async function main([command, ...args]) {
  const commands = { plan: [plan, 3], send: [send, 2] };
  const [run, count] = Object.hasOwn(commands, command ?? "") ? commands[command] : [null, 0];
  if (!run || args.length !== count) throw new Error("usage: bulk plan LIST MESSAGE JOURNAL | bulk send JOURNAL COST");
  process.exitCode = await run(readConfig(process.env), ...args);
}

main(process.argv.slice(2)).catch((error) => {
  tell(error.message);
  process.exitCode = 1;
});
