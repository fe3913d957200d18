// The trace viewer: a list of traces, and one trace as a waterfall. Which of the two is in the address, and so is every
// search and every open span. Text from spans only ever becomes text nodes.

const API = "/zipkin/api/v2";
const ROWS_AT_A_TIME = 1000;
const DEEPEST_INDENT = 14;
const LOOK_AGAIN_MS = 2000;

// --- Small things -----------------------------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);

/** An element with attributes (`text` is its text), and children. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Text from outside: isolated, so that its direction marks reach nothing around it. */
const outside = (text, attributes = {}) => element("bdi", { ...attributes, text });

/** A part of the address in plain text; one that is not well encoded as it stands. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function fetchJson(path) {
  const response = await fetch(API + path, { cache: "no-store" });
  if (!response.ok) throw new Error((await response.text()) || `status ${response.status}`);
  return response.json();
}

function formatDuration(us) {
  if (us === undefined) return "";
  if (us === 0) return "0ms";
  if (us < 1000) return `${us}μs`;
  if (us < 1000000) return us % 1000 === 0 ? `${us / 1000}ms` : `${(us / 1000).toFixed(3)}ms`;
  return `${(us / 1000000).toFixed(3)}s`;
}

/** Microseconds of `250`, `250us`, `5ms` or `2s`; undefined for anything else, and for zero. */
function parseDuration(text) {
  const parts = /^([0-9]+)(us|ms|s)?$/.exec(text.trim());
  return parts ? parts[1] * { us: 1, ms: 1000, s: 1000000 }[parts[2] ?? "us"] || undefined : undefined;
}

function parseLookback(text) {
  const parts = /^([0-9]+)([mhd])$/.exec(text);
  return parts ? parts[1] * { m: 60000, h: 3600000, d: 86400000 }[parts[2]] : 900000;
}

const PALETTE = ("f44336 e91e63 9c27b0 673ab7 3f51b5 2196f3 03a9f4 00bcd4 009688 4caf50 8bc34a cddc39 ffeb3b ffc107 ff9800 " +
  "ff5722 795548 9e9e9e 607d8b").split(" ");

/** Marks an element with the colour of a service: the same as in Zipkin's own page, brighter on a dark ground. */
function colour(marked, service) {
  let hash = 0;
  for (let i = 0; i < service.length; i++) hash = (Math.imul(hash, 31) + service.charCodeAt(i)) | 0;
  const base = PALETTE[Math.abs(hash) % PALETTE.length].match(/../g).map((channel) => parseInt(channel, 16));
  const rgb = (factor, lift) => `rgb(${base.map((channel) => Math.floor(channel * factor + lift)).join(" ")})`;
  marked.dataset.service = "";
  marked.style.setProperty("--bar-light", rgb(0.7, 0));
  marked.style.setProperty("--bar-dark", rgb(0.75, 56));
  return marked;
}

function place(marked, start, share) {
  marked.style.setProperty("--start", `${start * 100}%`);
  if (share !== undefined) marked.style.setProperty("--share", `${share * 100}%`);
  return marked;
}

function ago(ms) {
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}

function clockTime(us) {
  const date = new Date(us / 1000);
  const time = date.toLocaleTimeString([], { hour12: false });
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

const localService = (span) => span.localEndpoint?.serviceName ?? "";
const remoteService = (span) => span.remoteEndpoint?.serviceName ?? "";
const shownService = (span) => localService(span) || remoteService(span) || "unknown service";
const shownName = (span) => span.name || "unnamed span";
const isError = (span) => span.tags !== undefined && Object.hasOwn(span.tags, "error");

// --- From spans to a tree ---------------------------------------------------------------------------------------------

/**
 * The spans as rows of a tree, depth first, children by start time: `{span, depth, orphan}`. A span whose parent is not
 * there hangs under the root, and so does what only hangs on itself.
 */
function treeRows(spans) {
  const byTime = (left, right) => (left.span.timestamp ?? 0) - (right.span.timestamp ?? 0);
  const nodes = spans.map((span) => ({ span, children: [], parent: undefined, depth: 0, seen: false, orphan: false }));
  nodes.sort(byTime);
  const own = new Map();
  const shared = new Map();
  for (const node of nodes) {
    const index = node.span.shared ? shared : own;
    if (!index.has(node.span.id)) index.set(node.span.id, node);
  }
  for (const node of nodes) {
    const { id, parentId } = node.span;
    const server = shared.get(parentId);
    if (node.span.shared && own.has(id)) node.parent = own.get(id);
    else if (server && localService(server.span) === localService(node.span)) node.parent = server;
    else if (parentId) node.parent = own.get(parentId) ?? server;
    node.orphan = parentId !== undefined && node.parent === undefined;
    if (node.parent === node) node.parent = undefined;
  }
  const root = nodes.find((node) => !node.parent && !node.orphan) ?? nodes.find((node) => !node.parent) ?? nodes[0];
  for (const node of nodes) {
    if (node !== root) (node.parent ?? root).children.push(node);
  }
  const rows = [];
  const walk = (from) => {
    const stack = [from];
    while (stack.length > 0) {
      const node = stack.pop();
      if (node.seen) continue;
      node.seen = true;
      rows.push(node);
      for (const child of node.children.toReversed()) {
        if (child.seen) continue;
        child.depth = node.depth + 1;
        stack.push(child);
      }
    }
  };
  if (root) walk(root);
  for (const node of nodes) {
    if (!node.seen) {
      node.depth = 1;
      walk(node);
    }
  }
  return rows;
}

/** What a list or a title says about a trace. */
function summarise(spans) {
  const rows = treeRows(spans);
  let start = Infinity;
  let end = -Infinity;
  const services = new Map();
  for (const span of spans) {
    if (span.timestamp !== undefined) {
      start = Math.min(start, span.timestamp);
      end = Math.max(end, span.timestamp + (span.duration ?? 0));
    }
    for (const name of new Set([localService(span), remoteService(span)])) {
      if (!name) continue;
      const known = services.get(name) ?? { name, spans: 0, longest: 0 };
      known.spans += 1;
      known.longest = Math.max(known.longest, span.duration ?? 0);
      services.set(name, known);
    }
  }
  const known = Number.isFinite(start);
  return {
    rows,
    root: rows[0].span,
    start: known ? start : 0,
    duration: known ? end - start : 0,
    services: [...services.values()].sort((left, right) => right.longest - left.longest),
    errors: spans.filter(isError).length,
  };
}

// --- The list ---------------------------------------------------------------------------------------------------------

const form = byId("search");
let lookAgain;

async function showSearch() {
  byId("search-page").hidden = false;
  const asked = new URLSearchParams(location.search);
  for (const [name, value] of asked) {
    const field = form.elements.namedItem(name);
    if (!field || !value) continue;
    // A service or a limit that a link names may not be among the choices.
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
      field.append(element("option", { value, text: value }));
    }
    field.value = value;
  }
  form.addEventListener("submit", search);
  form.elements.order.addEventListener("change", () => form.requestSubmit());
  form.elements.serviceName.addEventListener("change", fillSpanNames);
  window.addEventListener("popstate", () => location.reload());
  fillServices();
  fillSpanNames();
  await runSearch();
}

async function fillServices() {
  const select = form.elements.serviceName;
  const names = await fetchJson("/services").catch(() => []);
  const known = new Set([...select.options].map((option) => option.value));
  for (const name of names) if (!known.has(name)) select.append(element("option", { value: name, text: name }));
}

async function fillSpanNames() {
  const service = form.elements.serviceName.value;
  const names = service ? await fetchJson(`/spans?serviceName=${encodeURIComponent(service)}`).catch(() => []) : [];
  byId("span-names").replaceChildren(...names.map((name) => element("option", { value: name })));
}

/** The form as an address, without what is empty or as it is from the start. */
function address() {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const field = form.elements.namedItem(name);
    const isDefault = field.tagName === "SELECT" && [...field.options].find((option) => option.value === value)?.defaultSelected;
    if (value && !isDefault) asked.set(name, value);
  }
  const endTs = new URLSearchParams(location.search).get("endTs");
  if (endTs) asked.set("endTs", endTs);
  return asked.size > 0 ? `/zipkin/?${asked}` : "/zipkin/";
}

function search(event) {
  event.preventDefault();
  const to = address();
  if (to !== location.pathname + location.search) history.pushState(null, "", to);
  fillServices();
  runSearch();
}

let latestSearch = 0;

async function runSearch() {
  clearTimeout(lookAgain);
  const mine = ++latestSearch;
  const fields = form.elements;
  const asked = new URLSearchParams({ limit: fields.limit.value, lookback: parseLookback(fields.lookback.value) });
  for (const name of ["serviceName", "spanName", "annotationQuery"]) {
    if (fields[name].value.trim()) asked.set(name, fields[name].value.trim());
  }
  const minDuration = parseDuration(fields.minDuration.value);
  if (minDuration) asked.set("minDuration", minDuration);
  const endTs = new URLSearchParams(location.search).get("endTs");
  if (endTs) asked.set("endTs", endTs);
  try {
    const traces = await fetchJson(`/traces?${asked}`);
    if (mine === latestSearch) showResults(traces.filter((spans) => spans.length > 0));
  } catch (error) {
    if (mine !== latestSearch) return;
    byId("results").replaceChildren();
    byId("empty").hidden = true;
    say(`The search failed: ${error.message}`, true);
  }
}

function say(text, failed = false) {
  byId("summary").textContent = text;
  byId("summary").classList.toggle("failed", failed);
}

function showResults(traces) {
  const found = traces.map((spans) => ({ spans, ...summarise(spans) }));
  if (form.elements.order.value === "longest") found.sort((left, right) => right.duration - left.duration);
  const longest = Math.max(1, ...found.map((trace) => trace.duration));
  byId("results").replaceChildren(...found.map((trace) => resultItem(trace, longest)));
  byId("empty").hidden = found.length > 0;
  if (found.length === 0) {
    const lookback = form.elements.lookback.selectedOptions[0].textContent;
    const isFiltered = ["serviceName", "spanName", "annotationQuery", "minDuration"].some((name) => form.elements[name].value);
    byId("empty-title").textContent = isFiltered ? "No trace matches" : "No traces here yet";
    byId("empty-why").textContent = isFiltered ? `Nothing of the last ${lookback} answers this search.`
      : `Nothing arrived in the last ${lookback}. Send a request through a router, such as the tutorial's:`;
    byId("empty-try").hidden = isFiltered;
    say("");
    lookAgain = setTimeout(() => {
      fillServices();
      runSearch();
    }, LOOK_AGAIN_MS);
    return;
  }
  const full = found.length >= Number(form.elements.limit.value) ? ", maybe more: raise the limit to see them" : "";
  say(`${found.length} ${found.length === 1 ? "trace" : "traces"}${full}`);
}

function resultItem(trace, longest) {
  const { root, spans } = trace;
  const bar = colour(element("i"), shownService(root));
  place(bar, 0, trace.duration / longest);
  const title = element("span", { class: "root" },
    outside(shownService(root), { class: "service" }), " ", outside(shownName(root)));
  const duration = element("span", { class: "duration" });
  if (trace.errors > 0) duration.append(element("span", { class: "error", text: "error" }), " ");
  duration.append(formatDuration(trace.duration));
  const badges = element("span", { class: "badges" }, ...trace.services.slice(0, 12).map((service) =>
    colour(element("span", { class: "badge" }, outside(service.name), `${service.spans}`), service.name)));
  if (trace.services.length > 12) badges.append(`and ${trace.services.length - 12} more`);
  const when = trace.start ? `${ago(trace.start / 1000)} · ${clockTime(trace.start)}` : "no time";
  const count = `${spans.length} ${spans.length === 1 ? "span" : "spans"}`;
  return element("li", {}, element("a", { class: "result card", href: `/zipkin/traces/${encodeURIComponent(root.traceId)}` },
    title, duration, element("span", { class: "track" }, bar), badges,
    element("span", { class: "when", text: `${count} · ${when}` })));
}

// --- One trace --------------------------------------------------------------------------------------------------------

async function showTrace(id) {
  byId("trace-page").hidden = false;
  byId("back").hidden = false;
  // Back to the very search, if that is where this page was opened from.
  byId("back").addEventListener("click", (event) => {
    if (history.length > 1 && sessionStorage.getItem("searched") === "yes") {
      event.preventDefault();
      history.back();
    }
  });
  let spans;
  try {
    spans = await fetchJson(`/trace/${encodeURIComponent(id)}`);
  } catch (error) {
    byId("trace-title").textContent = "This trace is not here";
    byId("facts").replaceChildren(element("p", { class: "quiet", text:
      `${error.message}. The oldest traces make room for new ones, and spans take a moment to arrive.` }));
    for (const part of document.querySelectorAll(".waterfall, .hint")) part.hidden = true;
    return;
  }
  const trace = summarise(spans);
  document.title = `${shownService(trace.root)}: ${shownName(trace.root)} · ringspan`;
  byId("trace-title").replaceChildren(outside(shownService(trace.root), { class: "service" }), " ", outside(shownName(trace.root)));
  showFacts(trace, spans);
  showRuler(trace.duration);
  showRows(trace);
}

function showFacts(trace, spans) {
  const services = new Set(spans.map(localService).filter(Boolean));
  const depth = 1 + trace.rows.reduce((deepest, row) => Math.max(deepest, row.depth), 0);
  const fact = (name, value, attributes = {}) =>
    element("div", {}, element("dt", { text: name }), element("dd", attributes, value));
  const json = element("a", { href: `${API}/trace/${encodeURIComponent(trace.root.traceId)}`, text: "JSON" });
  byId("facts").replaceChildren(
    fact("Duration", formatDuration(trace.duration)), fact("Spans", `${spans.length}`),
    fact("Services", `${services.size}`), fact("Depth", `${depth}`),
    fact("Started", trace.start ? `${new Date(trace.start / 1000).toLocaleDateString()} ${clockTime(trace.start)}` : "unknown"),
    fact("Trace ID", trace.root.traceId, { class: "mono" }), fact("Download", json));
  if (trace.errors > 0) byId("facts").append(fact("Errors", element("span", { class: "error", text: `${trace.errors}` })));
}

function showRuler(duration) {
  const marks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((at) =>
    place(element("span", { text: formatDuration(Math.round(duration * at)) }), at));
  byId("ruler").replaceChildren(element("span", { text: "Service and span" }),
    element("span", { class: "marks" }, ...marks), element("span", { text: "Duration" }));
}

function showRows(trace) {
  const list = byId("spans");
  const more = byId("more");
  const open = decoded(location.hash.slice(1));
  let shown = 0;
  const showMore = () => {
    const next = trace.rows.slice(shown, shown + ROWS_AT_A_TIME);
    list.append(...next.map((row, index) => spanItem(row, trace, shown + index)));
    shown += next.length;
    more.hidden = shown >= trace.rows.length;
    more.textContent = `Show more (${trace.rows.length - shown} left)`;
  };
  more.addEventListener("click", showMore);
  list.addEventListener("keydown", moveByKey);
  showMore();
  const asked = trace.rows.findIndex((row) => row.span.id === open);
  while (asked >= shown) showMore();
  if (asked >= 0) list.children[asked].querySelector(".row").click();
}

function spanItem(row, trace, index) {
  const { span } = row;
  const total = Math.max(1, trace.duration);
  const names = element("span", { class: "names" },
    element("span", { class: "service" }, outside(shownService(span)), span.kind ? element("span", { class: "kind", text: span.kind }) : ""),
    outside(shownName(span), { class: "name" }));
  const who = element("span", { class: "who" }, names);
  who.style.setProperty("--depth", Math.min(row.depth, DEEPEST_INDENT));
  if (isError(span)) who.append(element("span", { class: "error", text: "error" }));
  const time = element("span", { class: "time" });
  if (span.timestamp !== undefined) {
    const kind = span.kind === "CLIENT" || span.kind === "PRODUCER" ? " client" : "";
    const bar = element("span", { class: `bar${kind}${isError(span) ? " failed" : ""}` });
    time.append(place(bar, (span.timestamp - trace.start) / total, (span.duration ?? 0) / total));
  }
  for (const annotation of span.annotations ?? []) {
    const at = (annotation.timestamp - trace.start) / total;
    if (at >= 0 && at <= 1) time.append(place(element("span", { class: "tick" }), at));
  }
  const button = element("button", { class: "row", type: "button", "aria-expanded": "false", "aria-controls": `details-${index}` },
    who, time, element("span", { class: "duration", text: formatDuration(span.duration) }));
  const item = colour(element("li", {}, button), shownService(span));
  button.addEventListener("click", () => toggle(item, button, row, trace, index));
  return item;
}

function toggle(item, button, row, trace, index) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  item.querySelector(".details")?.remove();
  if (!isOpen) item.append(details(row, trace, index));
  history.replaceState(null, "", isOpen ? location.pathname : `#${encodeURIComponent(row.span.id)}`);
}

function moveByKey(event) {
  const item = event.target.closest(".spans > li");
  if (!item) return;
  const to = {
    ArrowDown: item.nextElementSibling,
    ArrowUp: item.previousElementSibling,
    Home: item.parentElement.firstElementChild,
    End: item.parentElement.lastElementChild,
  };
  if (event.key in to) {
    event.preventDefault();
    to[event.key]?.querySelector(".row").focus();
  } else if (event.key === "Escape") {
    const button = item.querySelector('.row[aria-expanded="true"]');
    button?.click();
    button?.focus();
  }
}

const EVENT_NAMES = {
  CLIENT: ["Client Start", "Client Finish"], SERVER: ["Server Start", "Server Finish"],
  PRODUCER: ["Producer Start", "Producer Finish"], CONSUMER: ["Consumer Start", "Consumer Finish"],
};
const SHORT_EVENTS = { ws: "Wire Send", wr: "Wire Receive" };

/** The events of a span in the order of time, its own start and end among them. */
function events(span) {
  const [start, finish] = EVENT_NAMES[span.kind] ?? [];
  const list = (span.annotations ?? []).map(({ timestamp, value }) => ({ timestamp, name: Object.hasOwn(SHORT_EVENTS, value) ? SHORT_EVENTS[value] : value }));
  if (start && span.timestamp !== undefined) {
    list.unshift({ timestamp: span.timestamp, name: start });
    if (span.duration !== undefined) list.push({ timestamp: span.timestamp + span.duration, name: finish });
  }
  return list.sort((left, right) => left.timestamp - right.timestamp);
}

/** `ip:port (service)`, or as much of it as there is. */
function endpointText(endpoint) {
  if (!endpoint) return "";
  const { serviceName, ipv4, ipv6, port } = endpoint;
  const ip = ipv4 ?? (ipv6 && port ? `[${ipv6}]` : ipv6);
  const address = ip && port ? `${ip}:${port}` : ip ?? (port ? `:${port}` : "");
  return address && serviceName ? `${address} (${serviceName})` : address || serviceName || "";
}

const REMOTE_NAMES = { SERVER: "Client Address", PRODUCER: "Broker Address", CONSUMER: "Broker Address" };

function details({ span, orphan }, trace, index) {
  const id = (name, value) => element("div", {}, element("dt", { text: name }), element("dd", {}, outside(value)));
  const panel = element("div", { class: "details", id: `details-${index}` },
    element("dl", { class: "ids" }, id("Span ID", span.id),
      id("Parent ID", span.parentId ? span.parentId + (orphan ? " (not in this trace)" : "") : "none")));
  const local = endpointText(span.localEndpoint);
  const eventRows = events(span).map(({ timestamp, name }) => [
    ["number", formatDuration(Math.max(0, timestamp - trace.start))], ["number", clockTime(timestamp)], ["", name], ["", local]]);
  const tagRows = Object.entries(span.tags ?? {}).map(([key, value]) => [["key", key], ["value", value]]);
  if (span.remoteEndpoint) tagRows.push([["key", REMOTE_NAMES[span.kind] ?? "Server Address"], ["value", endpointText(span.remoteEndpoint)]]);
  if (!span.kind && eventRows.length === 0 && tagRows.length === 0) tagRows.push([["key", "Local Address"], ["value", local]]);
  if (eventRows.length > 0) panel.append(table("Annotations", ["Relative time", "Time", "Annotation", "Address"], eventRows));
  if (tagRows.length > 0) panel.append(table("Tags", ["Key", "Value"], tagRows));
  return panel;
}

function table(caption, heads, rows) {
  return element("table", {}, element("caption", { text: caption }),
    element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col", text })))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map(([kind, text]) =>
      element("td", { class: kind || undefined }, outside(text)))))));
}

// --- Which page -------------------------------------------------------------------------------------------------------

const asked = /^\/zipkin\/traces\/([^/]+)$/.exec(location.pathname);
if (asked) {
  showTrace(decoded(asked[1]));
} else {
  sessionStorage.setItem("searched", "yes");
  showSearch();
}
