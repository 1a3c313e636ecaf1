/*
 * The page of a run: its rows in the list's order, its context, and PyRunner's -r as a button.
 *
 * Plain JavaScript without a build step. It reads and writes Airflow's public REST API (/api/v2) alone, with the
 * session of whoever looks, so that Airflow decides who may do what. Of React there is only the outermost shell,
 * at the end. All texts become text nodes: nothing that a worker wrote is ever read as HTML.
 */

const INDEX_KEY = "pyrunner.context", FAILURE_KEY = "pyrunner.failure";
const NO_REASON = "It told no reason: its log says more.";
const ENDED = new Set(["success", "failed"]);
const AT_ONCE = 6; // browsers open six connections to a server
const PAGE = 100; // what Airflow gives at once, unless it is set up for more
const POLL = 3000; // milliseconds
const FAILURES = 6, INDEXES = 10, VALUES = 12, ROWS = 200; // what is asked for without being asked
const PREVIEW = 120, SMALL = 64 * 1024, LARGE = 1024 * 1024; // characters shown in a cell; bytes fetched for it; opened

// What -r runs: the same as pyrunner_airflow/restart and tasklist/selection.py.

function reached(starts, next) {
  const seen = new Set(starts), ahead = [...starts];
  while (ahead.length) {
    for (const node of next.get(ahead.pop()) || []) if (!seen.has(node)) { seen.add(node); ahead.push(node); }
  }
  return seen;
}

function childrenOf(rows) {
  const children = new Map();
  for (const row of rows) for (const parent of row.parents) children.set(parent, [...(children.get(parent) || []), row.id]);
  return children;
}

/** The IDs of a row and of all below it. */
export function below(rows, id) { return reached([id], childrenOf(rows)); }

/** The IDs of the rows that the parameters of a run leave out. */
export function leftOutOf(rows, conf) {
  const kept = [];
  if (conf.exec_only != null) kept.push(new Set(conf.exec_only.map(Number)));
  if (conf.from != null) kept.push(below(rows, Number(conf.from)));
  if (conf.to != null) kept.push(reached([Number(conf.to)], new Map(rows.map(row => [row.id, row.parents]))));
  const norun = new Set((conf.norun || []).map(Number));
  return new Set(rows.map(row => row.id).filter(id => norun.has(id) || kept.some(ids => !ids.has(id))));
}

/** The rows of a run that has ended which did not succeed. */
export function rowsToRun(rows, leftOut) {
  return rows.filter(row => !(["success", "removed"].includes(row.state) || (row.state === "skipped" && leftOut.has(row.id))));
}

/** The body of POST clearTaskInstances. From 3.4 on a clear drops what failed tasks wrote, unless told not to. */
export function clearRequest(runId, taskIds, version) {
  const [major, minor] = version.split(".").map(Number);
  return {
    dag_run_id: runId, task_ids: [...new Set(taskIds)], dry_run: false, only_failed: false, prevent_running_task: true,
    ...(major > 3 || (major === 3 && minor >= 4) ? {keep_task_state: true} : {}),
  };
}

// Numbers of the context as Airflow wrote them: JavaScript would make 1 of 1.0, and another number of 2**60.

const EXACT = typeof JSON.rawJSON === "function";
const parseExactly = text => JSON.parse(text, (key, value, context) =>
  (EXACT && typeof value === "number" && String(value) !== context.source ? JSON.rawJSON(context.source) : value));
const isNumber = data => typeof data === "number" || (EXACT && JSON.isRawJSON(data));

// The REST API.

class ApiError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

class Api {
  constructor(base, dagId, runId) {
    this.root = new URL("api/v2/", base);
    this.dag = ["dags", dagId];
    this.run = [...this.dag, "dagRuns", runId];
    this.tasks = [...this.run, "taskInstances"];
    this.ending = new AbortController();
    this.free = AT_ONCE;
    this.waiting = [];
    this.requests = 0;
  }

  /** Return the answer; null if it is longer than `limit` bytes. */
  async call(method, path, {query = {}, body, limit = Infinity, parse = JSON.parse} = {}) {
    const url = new URL(path.map(encodeURIComponent).join("/"), this.root);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (this.free) this.free--; else await new Promise(go => this.waiting.push(go));
    try {
      this.requests++;
      const headers = {Accept: "application/json", ...(body && {"Content-Type": "application/json"})};
      const answer = await fetch(url, {method, headers, body: body && JSON.stringify(body), signal: this.ending.signal});
      if (!answer.ok) throw new ApiError(answer.status, explained(answer.status, await answer.text()));
      const text = await textOf(answer, limit);
      return text === null ? null : parse(text || "null");
    } finally {
      const next = this.waiting.shift();
      if (next) next(); else this.free++;
    }
  }

  get(path, query) { return this.call("GET", path, {query}); }

  /** The value of an XCom. */
  value(task, key, limit) { return this.call("GET", [...this.tasks, task, "xcomEntries", key], {limit, parse: parseExactly}); }

  /** All pages: the first tells how many there are, and how long a page is. */
  async all(name, path, query) {
    const first = await this.get(path, {...query, limit: PAGE}), step = first[name].length, rest = [];
    for (let offset = step; step && offset < first.total_entries; offset += step) rest.push(this.get(path, {...query, limit: step, offset}));
    return [first, ...await Promise.all(rest)].flatMap(page => page[name]);
  }
}

function explained(status, text) {
  let detail = text;
  try { const found = JSON.parse(text).detail; detail = typeof found === "string" ? found : JSON.stringify(found); } catch { /* no JSON */ }
  if (status === 401) return "Your session has ended. Log in again, then reload this page.";
  if (status === 403) return `You may not do this here. Airflow says: ${detail}`;
  if (status === 409) return `Nothing was changed: a row of these is running or about to. Airflow says: ${detail}`;
  return `Airflow answered ${status}: ${detail.slice(0, 500)}`;
}

async function textOf(answer, limit) {
  const reader = answer.body.getReader(), parts = [];
  for (let size = 0; ;) {
    const {done, value} = await reader.read();
    if (done) return new Blob(parts).text();
    parts.push(value);
    size += value.length;
    if (size > limit) { reader.cancel(); return null; }
  }
}

// The rows.

/** The rows as the DAG's documentation has them, in the list's order; none if it is another text. */
function listedRows(doc) {
  const [head, , ...lines] = (doc || "").split("\n");
  if (!head.startsWith("|ID|PARENT_IDS|")) return [];
  return lines.map(line => {
    const [id, parents, , , name, , , logfile] = line.slice(1, -1).split("|").map(cell => cell.trim().replaceAll("&#124;", "|"));
    return {id: Number(id), parents: parents ? parents.split(",").map(Number) : [], name, logfile};
  });
}

/** What became of a row, in PyRunner's words. */
function fateOf(row, leftOut, ended) {
  if (row.state === "skipped" && leftOut.has(row.id)) return {kind: "out", word: "left out", why: "by this run's parameters"};
  switch (row.state) {
    case "success": return {kind: "done", word: "done"};
    case "failed": return {kind: "failed", word: "failed"};
    case "running": return {kind: "active", word: "running"};
    case "up_for_retry": return {kind: "active", word: "waits", why: "for its next attempt"};
    case "removed": return {kind: "out", word: "removed", why: "from the list"};
    case "upstream_failed": return {kind: "notrun", word: "not run", why: "one above it failed"};
    case "skipped": return {kind: "notrun", word: "not run"};
    default: return ended ? {kind: "notrun", word: "not run"} : {kind: "waiting", word: "waits"};
  }
}

async function loadJob(api) {
  const [dag, run, tasks] = await Promise.all([
    api.get([...api.dag, "details"]), api.get(api.run), api.all("task_instances", api.tasks, {}),
  ]);
  const ids = new Map(), ours = tasks.filter(task => task.operator_name === "WorkerOperator" && /^\d+\w*$/.test(task.task_id));
  for (const task of tasks) ids.set(task.task_id, ours.includes(task) ? parseInt(task.task_id, 10) : task.task_id);
  const listed = new Map(listedRows(dag.doc_md).map((row, place) => [row.id, {...row, place}]));
  if (ours.some(task => !listed.has(ids.get(task.task_id)))) await addParents(api, ids, listed);
  const rows = tasks.map(task => ({
    id: ids.get(task.task_id), name: task.task_display_name, parents: [], place: Infinity, ...listed.get(ids.get(task.task_id)),
    task, taskId: task.task_id, state: task.state, isOther: !ours.includes(task),
  }));
  rows.sort((one, other) => one.place - other.place || (one.id > other.id ? 1 : -1));
  const ended = ENDED.has(run.state), leftOut = leftOutOf(rows, run.conf || {});
  const again = new Set(ended ? rowsToRun(rows, leftOut) : []);
  for (const row of rows) Object.assign(row, fateOf(row, leftOut, ended), {again: again.has(row)});
  return {dag, run, rows, ended, isOurs: ours.length > 0, byTask: new Map(rows.map(row => [row.taskId, row]))};
}

/** Which row waits for which, where the documentation does not tell: it takes Airflow seconds for a large DAG. */
async function addParents(api, ids, listed) {
  const {tasks} = await api.get([...api.dag, "tasks"]);
  for (const task of tasks) if (!listed.has(ids.get(task.task_id))) listed.set(ids.get(task.task_id), {parents: [], place: Infinity});
  for (const task of tasks) {
    for (const child of task.downstream_task_ids) {
      const row = listed.get(ids.get(child)), parent = ids.get(task.task_id);
      if (row && !row.parents.includes(parent)) row.parents.push(parent);
    }
  }
}

/** The line by which a row told why it failed. A process that was killed has told nothing. */
async function failureOf(api, row) {
  try {
    const {cause, logfile, host} = Object((await api.value(row.taskId, FAILURE_KEY)).value);
    return {cause: cause ? String(cause) : NO_REASON, logfile: logfile && String(logfile), host: host && String(host)};
  } catch (error) {
    if (error.status !== 404) throw error;
    return {cause: NO_REASON};
  }
}

// The context.

const nameOf = key => (typeof key === "string" ? key : JSON.stringify(key));

class RunContext {
  constructor(api, job) {
    this.api = api;
    this.job = job;
    this.indexes = new Map();
    this.keys = [];
  }

  /** Find the tasks that have an index, and those whose index no later one below covers. */
  async look() {
    const entries = await this.api.all("xcom_entries", [...this.api.tasks, "~", "xcomEntries"], {xcom_key_pattern: INDEX_KEY});
    this.times = new Map(entries.filter(entry => entry.key === INDEX_KEY).map(entry => [entry.task_id, entry.timestamp]));
    const children = childrenOf(this.job.rows), tasks = new Map(this.job.rows.map(row => [row.id, row.taskId]));
    this.covering = [...this.times.keys()].filter(task => {
      const row = this.job.byTask.get(task);
      const under = row ? [...reached(children.get(row.id) || [], children)].map(id => this.times.get(tasks.get(id))) : [];
      return !under.some(time => time > this.times.get(task));
    });
  }

  get unread() { return [...this.times.keys()].filter(task => !this.indexes.has(task)); }

  async read(tasks) {
    await Promise.all(tasks.map(async task => {
      const index = (await this.api.value(task, INDEX_KEY)).value;
      if (index?.format !== 1) throw new Error(`The XCom ${INDEX_KEY} of ${task} is of another version, or was edited.`);
      this.indexes.set(task, index.keys);
    }));
    this.merge();
  }

  /** The last write to each key; of its own writes a task knows best. */
  merge() {
    const last = new Map(), readers = new Map();
    for (const [task, rows] of this.indexes) {
      for (const row of rows) {
        const name = nameOf(row.key), known = last.get(name);
        if (row.read) readers.set(name, [...(readers.get(name) || []), task]);
        if (row.task_id !== task && this.indexes.has(row.task_id)) continue;
        if (!known || row.stamp > known.stamp || (row.stamp === known.stamp && row.task_id > known.task_id)) last.set(name, row);
      }
    }
    this.keys = [...last].sort(([one], [other]) => (one > other ? 1 : -1)).map(([name, row]) =>
      ({...row, name, xcom: row.xcom || name, readers: readers.get(name) || [], value: null}));
  }

  /** Fetch a value, unless it is too long. */
  async fetch(key, limit) {
    if (key.state !== "value") return;
    try {
      const entry = await this.api.value(key.task_id, key.xcom, limit);
      key.value = entry ? {data: asWritten(entry.value, key.number)} : {text: `more than ${limit / 1024} kB`};
    } catch (error) {
      if (error.name === "AbortError") throw error;
      key.value = {text: error.status === 404 ? "gone: its row is running again" : error.message};
    }
  }
}

/** A value, or the float that the index has, where the database has changed its last digit or made an integer of it. */
function asWritten(data, float) {
  if (float == null || !isNumber(data)) return data;
  const [one, other] = [data, float].map(number => Number(JSON.stringify(number)));
  return Math.abs(one - other) <= 1e-15 * Math.abs(other) ? float : data;
}

/** A value's type and text; whether it may be edited as JSON. */
function described(data) {
  const textOf = content => (typeof content === "string" ? content : JSON.stringify(content));
  const tagged = (tag, content) => ({type: data[tag].split(".").pop(), text: textOf(data[content]).replace(/^(-?)(0x[0-9a-f]+)$/, (all, sign, hex) => sign + BigInt(hex))});
  if (data === null) return {type: "None", text: "None"};
  if (typeof data === "string") return {type: "str", text: data, plain: true};
  if (isNumber(data)) return {type: /^-?\d+$/.test(JSON.stringify(data)) ? "int" : "float", text: JSON.stringify(data), plain: EXACT};
  if (typeof data === "boolean") return {type: "bool", text: data ? "True" : "False", plain: true};
  if (typeof data.__pyrunner__ === "string") return tagged("__pyrunner__", "value");
  if (typeof data.__classname__ === "string") return tagged("__classname__", "__data__");
  const text = JSON.stringify(data), plain = EXACT && !/"__(pyrunner|classname|type)(__)?"/.test(text);
  return {type: Array.isArray(data) ? `list of ${data.length}` : `dict of ${Object.keys(data).length}`, text, plain};
}

// What it looks like.

const STYLE = `
.pyr { --fg: var(--chakra-colors-fg, #18181b); --dim: var(--chakra-colors-fg-muted, #52525b); --bg: var(--chakra-colors-bg, #fff);
  --line: var(--chakra-colors-border, #d4d4d8); --ok: #0a6b2c; --bad: #b91c1c; --warm: #92400e; --info: #0e6377; --go: #1d4f91;
  color: var(--fg); font-size: 14px; line-height: 1.45; padding: 12px 8px 40px; }
.dark .pyr { --ok: #4ade80; --bad: #fca5a5; --warm: #fbbf24; --info: #67e8f9; }
.pyr .top, .pyr .foot { display: flex; gap: 14px; align-items: center; flex-wrap: wrap; margin-bottom: 10px; }
.pyr .bar { display: flex; height: 8px; width: 180px; border-radius: 4px; overflow: hidden; background: var(--line); }
.pyr .grow { flex: 1; } .pyr .dim { color: var(--dim); }
.pyr h3 { font-size: 15px; font-weight: 600; margin: 22px 0 6px; }
.pyr table { border-collapse: collapse; width: 100%; font-size: 13px; }
.pyr th { text-align: start; font-weight: 600; color: var(--dim); white-space: nowrap; }
.pyr th, .pyr td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.pyr .key { min-width: 9em; } .pyr tr.told td { border-bottom: 0; } .pyr tr.why td { padding-top: 0; }
.pyr .num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.pyr code, .pyr pre, .pyr textarea { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; background: none; padding: 0; }
.pyr a { color: inherit; text-decoration: underline; text-underline-offset: 3px; }
.pyr .state { font-weight: 600; white-space: nowrap; }
.pyr .state::before { content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 50%; background: currentColor; margin-inline-end: 6px; }
.pyr .done { color: var(--ok); } .pyr .failed { color: var(--bad); } .pyr .notrun { color: var(--warm); } .pyr .active { color: var(--info); }
.pyr .out, .pyr .waiting { color: var(--dim); }
.pyr button { border: 1px solid var(--line); border-radius: 6px; padding: 4px 12px; font: inherit; color: inherit; cursor: pointer; }
.pyr button.main { background: var(--go); border-color: var(--go); color: #fff; font-weight: 600; }
.pyr button.small { padding: 0 7px; font-size: 12px; white-space: nowrap; margin-inline-end: 4px; }
.pyr button:disabled { opacity: .6; cursor: not-allowed; }
.pyr :focus-visible { outline: 2px solid var(--info); outline-offset: 2px; }
.pyr .note { border-inline-start: 3px solid var(--warm); padding: 4px 10px; margin: 10px 0; } .pyr .note.bad { border-color: var(--bad); }
.pyr dialog { margin: auto; width: min(720px, 92vw); max-height: 86vh; overflow: auto; padding: 20px; border: 1px solid var(--line);
  border-radius: 10px; color: var(--fg); background: var(--bg); }
.pyr dialog::backdrop { background: rgb(0 0 0 / 45%); } .pyr dialog h3 { margin-top: 0; }
.pyr dialog label { display: flex; gap: 8px; padding: 2px 0; } .pyr .foot { justify-content: flex-end; margin-top: 16px; }
.pyr textarea { width: 100%; min-height: 90px; color: inherit; border: 1px solid var(--line); border-radius: 6px; padding: 6px; }
`;
const KINDS = [["done", "done", "--ok"], ["failed", "failed", "--bad"], ["active", "under way", "--info"],
  ["waiting", "waiting", "--line"], ["notrun", "not run", "--warm"], ["out", "left out", "--dim"]];

/** An element; what is null or false is left out. */
function h(tag, attributes, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...content.flat(9).filter(part => part != null && part !== false));
  return node;
}

const cut = text => (text.length > PREVIEW ? `${text.slice(0, PREVIEW)} …` : text);
const clock = time => (time ? new Date(time).toLocaleTimeString([], {hour12: false}) : "");
const took = seconds => (seconds == null ? "" : seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
const table = (name, heads, rows) => h("table", {"aria-label": name},
  h("thead", null, h("tr", null, heads.map(head => h("th", {scope: "col"}, head)))), h("tbody", null, rows));
const title = row => (row.isOther ? row.name : `${row.id} ${row.name}`);

const RELOADED = "pyrunner";
let said;

/** What a restart said before it had the page loaded anew: taken once a load, since React may mount a page twice. */
function takeSaid() {
  said ??= JSON.parse(sessionStorage.getItem(RELOADED) || "{}");
  sessionStorage.removeItem(RELOADED);
  return said;
}

class RunPage {
  constructor(target, {dagId, runId, base, navigate}) {
    Object.assign(this, {dagId, runId, base, navigate, api: new Api(base, dagId, runId), failures: new Map(), seen: null});
    const last = takeSaid();
    this.message = last.dagId === dagId && last.runId === runId ? last.text : null;
    this.body = h("div", {class: "pyr"}, h("p", {class: "dim", role: "status"}, "Reading the run …"));
    target.replaceChildren(h("style", null, STYLE), this.body);
    this.refresh();
  }

  stop() {
    clearTimeout(this.timer);
    this.api.ending.abort();
  }

  /** Look again, and again until the run has ended. The context is read anew only when a row has ended. */
  async refresh() {
    try {
      const job = await loadJob(this.api);
      this.job = job;
      if (!job.isOurs) {
        this.body.replaceChildren(h("p", {class: "dim"}, "This DAG is not made from a PyRunner task list."));
        return;
      }
      this.draw();
      await this.readFailures();
      const ended = job.rows.filter(row => row.task.end_date).map(row => row.task.end_date).sort().join();
      if (ended !== this.seen) {
        this.seen = ended;
        await this.readContext(job.rows.length <= ROWS || Boolean(this.context));
      }
      this.body.dataset.requests = this.api.requests;
    } catch (error) {
      this.fail(error);
      return;
    }
    if (!this.job.ended) this.timer = setTimeout(() => this.refreshWhenSeen(), POLL);
  }

  refreshWhenSeen() {
    if (document.hidden) document.addEventListener("visibilitychange", () => this.refreshWhenSeen(), {once: true, signal: this.api.ending.signal});
    else this.refresh();
  }

  fail(error) {
    if (error.name === "AbortError") return; // somebody has left the page
    if (this.job?.isOurs) { this.error = error.message; this.draw(); }
    else this.body.replaceChildren(h("p", {class: "note bad", role: "alert"}, error.message));
  }

  async readFailures() {
    const isTold = row => row.kind === "failed" || row.state === "up_for_retry";
    const wanted = this.job.rows.filter(row => isTold(row) && !row.isOther && !this.failures.has(`${row.task.id} ${row.task.try_number}`));
    await Promise.all(wanted.slice(0, FAILURES).map(row => this.readFailure(row)));
    if (wanted.length) this.draw();
  }

  async readFailure(row) { this.failures.set(`${row.task.id} ${row.task.try_number}`, await failureOf(this.api, row)); }

  async readContext(isWanted) {
    if (!isWanted) return;
    const context = new RunContext(this.api, this.job);
    await context.look();
    const few = context.times.size <= INDEXES ? [...context.times.keys()] : context.covering;
    if (few.length > INDEXES && !this.isAsked) {
      this.offered = few.length;
      this.draw();
      return;
    }
    await context.read(few);
    await Promise.all(context.keys.slice(0, VALUES).map(key => context.fetch(key, SMALL)));
    this.context = context;
    this.draw();
  }

  // Drawing

  draw() {
    if (this.body.querySelector("dialog")) return; // somebody is about to decide something
    const focus = document.activeElement?.dataset?.id;
    this.body.replaceChildren(this.top(), this.notes(), this.rowTable(), ...this.contextPart());
    this.focus(focus);
  }

  /** Give a button the focus that it had before it was drawn anew. */
  focus(id) { if (id) this.body.querySelector(`[data-id="${CSS.escape(id)}"]`)?.focus(); }

  button(text, id, attributes, action) {
    return h("button", {type: "button", "data-id": id, ...attributes, onclick: () => Promise.resolve(action()).catch(error => this.fail(error))}, text);
  }

  top() {
    const {rows, run, ended} = this.job, count = kind => rows.filter(row => row.kind === kind).length;
    const again = rows.filter(row => row.again), conf = Object.entries(run.conf || {}).filter(([, value]) => value !== null);
    const text = KINDS.filter(([kind]) => count(kind)).map(([kind, word]) => `${count(kind)} ${word}`).join(", ");
    const go = again.length ? `Restart ${again.length} ${again.length === 1 ? "row" : "rows"} (-r)` : "Restart (-r)";
    return h("div", {class: "top"},
      h("div", {class: "bar", "aria-hidden": "true"}, KINDS.map(([kind, , color]) => h("i", {style: `width:${(100 * count(kind)) / rows.length}%;background:var(${color})`}))),
      h("span", {role: "status", "data-id": "summary"}, text),
      conf.length > 0 && h("span", {class: "dim"}, "started with ", h("code", null, JSON.stringify(Object.fromEntries(conf)))),
      h("span", {class: "grow"}),
      !again.length && h("span", {class: "dim"}, ended ? "every row is done" : "the run goes on; once it has ended it can be restarted"),
      this.button(go, "restart", {class: "main", disabled: !again.length}, () => this.restart()));
  }

  notes() {
    const {dag, ended} = this.job;
    return h("div", null,
      this.message && h("div", {class: "note", role: "status"}, this.message),
      this.error && h("div", {class: "note bad", role: "alert"}, this.error),
      dag.is_paused && h("div", {class: "note"}, ended ? "The DAG is paused: what is restarted waits until it is unpaused." : "The DAG is paused: no further row starts until it is unpaused."));
  }

  rowTable() {
    return table("Rows", ["ID", "row", "state", "attempt", "start", "took", "LOGFILE", "run again"], this.job.rows.flatMap(row => this.rowLines(row)));
  }

  rowLines(row) {
    const {task} = row, why = this.failures.get(`${task.id} ${task.try_number}`), ran = task.pid != null;
    const logfile = task.rendered_fields?.logfile || row.logfile;
    const line = h("tr", {class: why && "told", "data-row": row.id},
      h("td", {class: "num dim"}, row.isOther ? "" : String(row.id)),
      h("td", null, this.taskLink(row, row.name), row.parents.length > 0 && h("span", {class: "dim"}, ` after ${row.parents.join(", ")}`)),
      h("td", null, h("span", {class: `state ${row.kind}`}, row.word), row.why && h("span", {class: "dim"}, ` ${row.why}`)),
      h("td", {class: "num"}, ran ? `${task.try_number} of ${Math.max(task.max_tries + 1, task.try_number)}` : ""),
      h("td", {class: "num"}, ran ? clock(task.start_date) : ""),
      h("td", {class: "num"}, ran ? took(task.duration) : ""),
      h("td", null, logfile && h("code", null, String(logfile))),
      h("td", null, this.job.ended && !row.isOther && [
        this.button("only this row", `only ${row.id}`, {class: "small", "aria-label": `Run only row ${row.id} again`}, () => this.restart(row, [row])),
        this.button("from here", `from ${row.id}`, {class: "small", "aria-label": `Run row ${row.id} and all below it again`}, () => this.restart(row)),
      ]));
    if (row.kind !== "failed" && row.state !== "up_for_retry") return [line];
    if (!why) return row.isOther ? [line] : [line, h("tr", {class: "why"}, h("td"), h("td", {colspan: 7},
      this.button("why?", `why ${row.id}`, {class: "small", "aria-label": `Why did row ${row.id} fail?`}, () => this.readFailure(row).then(() => this.draw()))))];
    return [line, h("tr", {class: "why"}, h("td"), h("td", {colspan: 7}, h("code", {class: "failed"}, why.cause),
      why.host && h("div", {class: "dim"}, why.logfile ? ["LOGFILE ", h("code", null, why.logfile)] : "no LOGFILE", ` on ${why.host}`)))];
  }

  taskLink(row, text) {
    const path = `dags/${encodeURIComponent(this.dagId)}/runs/${encodeURIComponent(this.runId)}/tasks/${encodeURIComponent(row.taskId)}`;
    const follow = event => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.navigate(`/${path}`);
    };
    return h("a", {href: new URL(path, this.base), onclick: follow}, text);
  }

  contextPart() {
    const context = this.context, ask = text => this.button(text, "context", {class: "small"}, () => { this.isAsked = true; return this.readContext(true); });
    const head = h("h3", null, "Context ", context && context.unread.length > 0 && this.button(
      "who read it?", "readers", {class: "small", title: `${context.unread.length} requests`}, async () => {
        await context.read(context.unread);
        await Promise.all(context.keys.slice(0, VALUES).map(key => context.fetch(key, SMALL)));
        this.draw();
      }));
    if (!context) return [head, this.offered || this.job.rows.length > ROWS ? ask("show it") : h("p", {class: "dim"}, "Reading the context …")];
    if (!context.keys.length) return [head, h("p", {class: "dim"}, "No row has left anything in the context.")];
    const heads = ["key", "value", "type", "written by", "at", ...(context.unread.length ? [] : ["read by"]), "edit"];
    return [head, table("Context", heads, context.keys.map(key => this.keyLine(key)))];
  }

  keyLine(key) {
    const writer = this.job.byTask.get(key.task_id), shown = key.value && "data" in key.value ? described(key.value.data) : null;
    const fetch = (text, limit) => this.button(text, `show ${key.name}`, {class: "small", "aria-label": `Show ${key.name}`}, async () => {
      await this.context.fetch(key, limit);
      if (limit === LARGE) return this.open(key);
      return this.draw();
    });
    const value = key.state === "deleted" ? h("span", {class: "dim"}, "deleted") : key.state === "none" ? h("code", null, "None")
      : !key.value ? fetch("show", SMALL) : shown ? [h("code", null, cut(shown.text)), shown.text.length > PREVIEW && [" ", fetch("all", LARGE)]]
        : [h("span", {class: "dim"}, key.value.text), key.value.text.startsWith("more than 64") && [" ", fetch("open", LARGE)]];
    const readers = key.readers.map(task => this.job.byTask.get(task)?.id ?? task).sort((one, other) => one - other);
    return h("tr", {"data-key": key.name},
      h("td", {class: "key"}, h("code", null, key.name)), h("td", null, value),
      h("td", {class: "dim"}, key.state === "none" ? "None" : shown?.type),
      h("td", null, writer ? this.taskLink(writer, title(writer)) : key.task_id),
      h("td", {class: "num"}, clock(Number(key.stamp) / 1000)),
      this.context.unread.length === 0 && h("td", {class: "num"}, readers.join(", ")),
      h("td", null, shown?.plain && this.button("edit", `edit ${key.name}`, {class: "small", "aria-label": `Edit ${key.name}`}, () => this.edit(key))));
  }

  // Dialogs

  /** Show a dialog, and return whether it was agreed to. `act` is done before it closes; its error keeps it open. */
  ask(heading, content, go, act) {
    return new Promise(done => {
      const error = h("p", {class: "failed", role: "alert"}), focus = document.activeElement?.dataset?.id;
      const agree = this.button(go, "go", {class: "main"}, async () => {
        agree.disabled = true;
        try { await act(); box.close("done"); } catch (fault) { error.textContent = fault.message; } finally { agree.disabled = false; }
      });
      const box = h("dialog", {"aria-labelledby": "pyr-heading"}, h("h3", {id: "pyr-heading"}, heading), content, error,
        h("div", {class: "foot"}, this.button(go ? "Cancel" : "Close", "cancel", {}, () => box.close("")), go && agree));
      box.addEventListener("close", () => {
        box.remove();
        this.focus(focus);
        done(box.returnValue === "done");
      });
      this.body.append(box);
      box.showModal();
    });
  }

  /** Run rows again: what did not succeed, a row and all below it, or one alone. */
  async restart(row, only) {
    this.error = this.message = null;
    this.job = await loadJob(this.api); // as it is now
    if (!this.job.ended) { this.error = "Nothing was changed: the run goes on."; return this.draw(); }
    const {rows} = this.job, under = row && below(rows, row.id);
    const offered = row ? rows.filter(one => (only ? one.id === row.id : under.has(one.id))) : rows.filter(one => one.again || one.kind === "out");
    const boxes = offered.map(one => {
      const box = h("input", {type: "checkbox"});
      box.checked = row ? one.kind !== "out" : one.again;
      return [one, box];
    });
    const kept = rows.filter(one => !offered.includes(one));
    const heading = !row ? "Restart what did not succeed (-r)" : only ? `Run row ${row.id} again` : `Run again from row ${row.id}`;
    const content = [
      h("p", {class: "dim"}, "Ticked rows run again. What failed ones had written to the context is kept; those that succeeded start clean."),
      boxes.map(([one, box]) => h("label", null, box, title(one), h("span", {class: one.kind}, one.word))),
      kept.length > 0 && h("p", {class: "dim"}, `Kept: ${cut(kept.map(title).join(", "))}`),
    ];
    let count = 0;
    const agreed = await this.ask(heading, content, "Restart", async () => {
      const chosen = boxes.filter(([, box]) => box.checked).map(([one]) => one.taskId);
      if (!chosen.length) throw new Error("No row is ticked.");
      const {version} = await this.api.get(["version"]);
      await this.api.call("POST", [...this.api.dag, "clearTaskInstances"], {body: clearRequest(this.runId, chosen, version)});
      count = chosen.length;
    });
    if (!agreed) return this.draw();
    // Airflow's own header does not look again by itself once a run has ended.
    const {dagId, runId} = this, text = `${count} ${count === 1 ? "row runs" : "rows run"} again.`;
    sessionStorage.setItem(RELOADED, JSON.stringify({dagId, runId, text}));
    return location.reload();
  }

  async open(key) {
    if (!("data" in key.value)) {
      await this.ask(key.name, [h("p", null, `It has ${key.value.text}: see the XCom tab of `, this.taskLink(this.job.byTask.get(key.task_id), key.task_id), ".")]);
    } else {
      const {data} = key.value;
      await this.ask(key.name, h("pre", {tabindex: "0"}, typeof data === "string" ? data : JSON.stringify(data, null, 1)));
    }
    this.draw();
  }

  async edit(key) {
    this.error = this.message = null;
    const area = h("textarea", {"aria-label": "Value as JSON"}), {task_id: task} = key;
    area.value = JSON.stringify(key.value.data, null, 1);
    const text = `The value as JSON. It lasts until row ${this.job.byTask.get(task)?.id ?? task}, which wrote it, runs again.`;
    const agreed = await this.ask(`context[${JSON.stringify(key.name)}]`, [h("p", {class: "dim"}, text), area], "Save", async () => {
      let value;
      try { value = parseExactly(area.value); } catch (error) { throw new Error(`This is no JSON: ${error.message}`); }
      await this.api.call("PATCH", [...this.api.tasks, task, "xcomEntries", key.xcom], {body: {value}});
    });
    if (agreed) {
      await this.context.fetch(key, SMALL);
      this.message = `context[${JSON.stringify(key.name)}] is changed.`;
    }
    this.draw();
  }
}

// React, for Airflow: the props are those of the page that it is a tab of.
globalThis.PyRunner = function PyRunner({dagId, runId}) {
  const {createElement, useEffect, useRef} = globalThis.React, target = useRef(null);
  const navigate = globalThis.ReactRouterDOM.useNavigate();
  useEffect(() => {
    const page = new RunPage(target.current, {dagId, runId, base: document.baseURI, navigate});
    return () => page.stop();
  }, [dagId, runId]);
  return createElement("div", {ref: target, style: {height: "100%", overflow: "auto"}});
};
