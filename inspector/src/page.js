"use strict";
// Everything that comes from sessions is put into the page as text, never as markup.

const COLUMNS = [
  ["id", "Session"], ["route", "Route"], ["peer", "Peer"], ["principal", "Principal"], ["subprotocol", "Subprotocol"],
  ["age_ms", "Age", duration], ["round_trip_ms", "Round trip", (ms) => `${ms.toFixed(1)} ms`],
  ["messages_in", "In", number], ["bytes_in", "In, bytes", bytes],
  ["messages_out", "Out", number], ["bytes_out", "Out, bytes", bytes],
  ["queue_bytes", "Queue", bytes], ["dropped", "Dropped", number], ["ratio", "Wire/payload", (ratio) => ratio.toFixed(2)],
];
const CHARTS = [
  ["sessions", "Sessions", [["sessions", "now"]]],
  ["connects", "Connects and closes", [["connects", "connects"], ["closes", "closes"]]],
  ["rejections", "Rejections", [["rejections", "a second"]]],
  ["messages", "Messages", [["messages_in", "in"], ["messages_out", "out"]]],
  ["bytes", "Payload bytes", [["bytes_in", "in"], ["bytes_out", "out"]]],
];
const MAX_POINTS = 600;
const MAX_EVENTS = 300;
const SLOW_QUEUE_BYTES = 64 * 1024;

const byId = (id) => document.getElementById(id);
const view = { sort: "queue_bytes", descending: true, filter: "", page: 0 };
let history = [];
let actions = [];
let followed = null;
let socket;
let lastSerial = 0;

function number(value) { return value.toLocaleString("en"); }
function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
}
function duration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
const shown = (value, format) => (value === null || value === undefined ? "–" : format ? format(value) : String(value));

// Charts: one SVG each, whose paths are set again with every second.
function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
const charts = CHARTS.map(([id, title, lines]) => {
  const picture = svg("svg", { viewBox: `0 0 ${MAX_POINTS} 100`, preserveAspectRatio: "none", role: "img" });
  const paths = lines.map((_, at) => picture.appendChild(svg("path", { class: "ab"[at] })));
  const values = lines.map(([, label], at) => element("span", { className: `${"ab"[at]}-key` }));
  const caption = element("figcaption", {}, element("strong", { textContent: title }), element("span", {}, ...values));
  byId("charts").append(element("figure", { id: `chart-${id}` }, caption, picture));
  return { title, lines, picture, paths, values };
});
function draw() {
  for (const { title, lines, picture, paths, values } of charts) {
    const isBytes = title === "Payload bytes";
    const top = Math.max(1, ...history.flatMap((point) => lines.map(([field]) => point[field])));
    lines.forEach(([field, label], at) => {
      const step = history.map((point, x) => `${MAX_POINTS - history.length + x} ${98 - (96 * point[field]) / top}`);
      paths[at].setAttribute("d", step.length ? `M${step.join("L")}` : "");
      const now = history.at(-1)?.[field] ?? 0;
      values[at].textContent = ` ${label} ${isBytes ? bytes(now) : number(now)} `;
    });
    picture.setAttribute("aria-label", `${title}, the last minutes: ${values.map((value) => value.textContent).join(", ")}`);
  }
}

// The table: rows are kept and filled again, so that focus stays where it is.
for (const [field, title, format] of COLUMNS) {
  const button = element("button", { textContent: title, type: "button" });
  button.addEventListener("click", () => {
    view.descending = view.sort === field ? !view.descending : Boolean(format);
    view.sort = field;
    view.page = 0;
    ask({ view });
    markSort();
  });
  byId("columns").append(element("th", { scope: "col", className: format ? "number" : "", id: `by-${field}` }, button));
}
byId("columns").append(element("th", { scope: "col" }, element("span", { textContent: "Do" })));
function markSort() {
  for (const [field] of COLUMNS) {
    const head = byId(`by-${field}`);
    if (field === view.sort) head.setAttribute("aria-sort", view.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    head.firstChild.textContent = COLUMNS.find(([name]) => name === field)[1] + (field === view.sort ? (view.descending ? " ↓" : " ↑") : "");
  }
}
function newRow() {
  const row = element("tr");
  for (const [field, , format] of COLUMNS) row.append(element("td", { className: format ? "number" : "" }));
  const follow = element("button", { type: "button", className: "link" });
  follow.addEventListener("click", () => { followed = row.dataset.id; ask({ follow: followed }); });
  row.children[0].append(follow);
  const doing = element("td");
  if (actions.includes("close-session")) {
    doing.append(sure("Close", () => act("close-session", row.dataset.id, "closed by an operator")));
  }
  if (actions.includes("disconnect-principal")) {
    doing.append(sure("Disconnect", () => act("disconnect-principal", row.dataset.principal, "closed by an operator")));
  }
  row.append(doing);
  return row;
}
/** A button that asks once more before it does something. */
function sure(title, then) {
  const button = element("button", { type: "button", textContent: title });
  const calm = () => { button.textContent = title; };
  button.addEventListener("blur", calm);
  button.addEventListener("click", () => {
    if (button.textContent === title) button.textContent = `Really ${title.toLowerCase()}?`;
    else { calm(); then(); }
  });
  return button;
}
function fill(sessions) {
  const body = byId("rows");
  while (body.children.length > sessions.rows.length) body.lastChild.remove();
  while (body.children.length < sessions.rows.length) body.append(newRow());
  sessions.rows.forEach((session, at) => {
    const row = body.children[at];
    if (row.dataset.id !== session.id) row.querySelectorAll("td:last-child button").forEach((button) => button.blur());
    row.dataset.id = session.id;
    row.dataset.principal = session.principal ?? "";
    row.className = session.queue_bytes >= SLOW_QUEUE_BYTES || session.dropped ? "slow" : "";
    COLUMNS.forEach(([field, , format], column) => {
      const cell = column === 0 ? row.children[0].firstChild : row.children[column];
      cell.textContent = shown(session[field], format);
      row.children[column].title = cell.textContent;
    });
  });
  const last = sessions.first + sessions.rows.length;
  byId("found").textContent = sessions.found ? `${number(sessions.first + 1)} to ${number(last)} of ${number(sessions.found)}` : "none";
  byId("previous").disabled = view.page === 0;
  byId("next").disabled = last >= sessions.found;
}
function showFollowed(session) {
  byId("followed").hidden = !followed;
  if (!followed) return;
  byId("followed-title").textContent = `Session ${followed}${session ? "" : ", which has ended"}`;
  if (!session) return;
  byId("detail").replaceChildren(
    ...COLUMNS.flatMap(([field, title, format]) => [
      element("dt", { textContent: title }),
      element("dd", { textContent: shown(session[field], format) }),
    ]),
  );
}
function showHub(hub) {
  byId("hub").hidden = !hub;
  if (!hub) return;
  const figures = ["rooms", "members", "published", "delivered", "dropped", "gaps"].map((field) => `${field} ${number(hub[field])}`);
  byId("hub").textContent = `Hub: ${figures.join(" · ")}`;
}

function tell(event) {
  const { event: name, acted, ...rest } = event;
  const says = acted ? `${acted.by}: ${acted.action} ${acted.on} (${acted.sessions})` : Object.entries(rest).filter(([, value]) => value !== null).map(([key, value]) => `${key} ${value}`).join("  ");
  const line = element("li", { textContent: `${new Date().toLocaleTimeString("en-GB")}  ${name}  ${says}` });
  if (name === "rejected" || name === "failed") line.className = "bad";
  const list = byId("events");
  list.prepend(line);
  while (list.children.length > MAX_EVENTS) list.lastChild.remove();
}

const heard = {
  hello(message) {
    ({ actions, history, serial: lastSerial } = message);
    byId("who").textContent = `${message.who}, on ${message.driver}`;
    byId("drain").hidden = !actions.includes("drain");
    byId("rows").replaceChildren();
    ask({ view });
    if (followed) ask({ follow: followed });
  },
  look(message) {
    if (message.serial !== lastSerial) {
      lastSerial = message.serial;
      history = [...history, message.point].slice(-MAX_POINTS);
      draw();
    }
    fill(message.sessions);
    showFollowed(message.followed);
    showHub(message.hub);
    if (message.missed) byId("missed").textContent = `${number(message.missed)} more in the last second`;
    else byId("missed").textContent = "";
  },
  event: (message) => tell(message.event),
  done: () => {},
  refused: (message) => { byId("state").textContent = message.why; },
};

function ask(wish) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}
function act(action, on, text) { ask({ act: { action, on, text } }); }

byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; view.page = 0; ask({ view }); });
byId("previous").addEventListener("click", () => { view.page--; ask({ view }); });
byId("next").addEventListener("click", () => { view.page++; ask({ view }); });
byId("unfollow").addEventListener("click", () => { followed = null; ask({ follow: null }); });
byId("drain").replaceWith(Object.assign(sure("Drain the server", () => act("drain", "", "")), { id: "drain", hidden: true }));

function connect(attempt) {
  const proof = document.querySelector("meta[name=proof]").content;
  const address = new URL(location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  socket = new WebSocket(address, proof ? ["wharf.inspector", `proof.${proof}`] : ["wharf.inspector"]);
  socket.onopen = () => { attempt = 0; byId("state").textContent = "live"; };
  socket.onmessage = ({ data }) => { const message = JSON.parse(data); heard[message.kind]?.(message); };
  socket.onclose = () => {
    byId("state").textContent = "disconnected";
    setTimeout(() => connect(attempt + 1), Math.min(15_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2));
  };
}
markSort();
draw();
connect(0);
