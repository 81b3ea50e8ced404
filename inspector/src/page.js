"use strict";
// Everything that comes from sessions is put into the page as text, never as markup.

const SECONDS = 600;
const MAX_EVENTS = 300;
const MAX_PASSED = 200;
const MANY_QUEUED_BYTES = 64 * 1024;
const KEYS = ["a", "b", "c", "d"];

const byId = (id) => document.getElementById(id);

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
const span = (className, textContent) => element("span", { className, textContent });
const clock = (date) => element("time", { textContent: date.toLocaleTimeString("en-GB") });
const shown = (value, format) => (value === null || value === undefined ? "–" : format ? format(value) : String(value));
/** Sets the text where it is another: what stays the same is not drawn again. */
function say(node, text) { if (node.textContent !== text) node.textContent = text; }

// ---- Charts: what happened in each of the last 600 seconds.

/** By second since 1970. */
const seconds = new Map();
let lastSecond = 0;
/** The second under the pointer, if it is over a chart. */
let pointedAt = null;

const field = (name, label, get) => ({ name, label, get });
const moved = (name) => (second) => second.moved?.[name];
/** A line for each of the codes that came most often in these ten minutes. */
const byCode = (name) => () => {
  const sums = {};
  for (const second of seconds.values()) {
    for (const [code, count] of Object.entries(second[name])) sums[code] = (sums[code] ?? 0) + count;
  }
  const codes = Object.entries(sums).sort(([, a], [, b]) => b - a);
  const most = codes.slice(0, codes.length > KEYS.length ? KEYS.length - 1 : KEYS.length).map(([code]) => code);
  const lines = most.map((code) => field(code, code.replace(/^WHARF_/, ""), (second) => second[name][code] ?? 0));
  if (codes.length > most.length) {
    const others = codes.slice(most.length).map(([code]) => code);
    lines.push(field("others", "others", (second) => others.reduce((sum, code) => sum + (second[name][code] ?? 0), 0)));
  }
  return lines.map((line) => ({ ...line, sum: () => (line.name === "others" ? null : sums[line.name]) }));
};
const CHARTS = [
  { id: "sessions", title: "Sessions", lines: () => [field("sessions", "now", (second) => second.sessions)] },
  { id: "connects", title: "Connects a second", lines: () => [field("connects", "connects", (second) => second.connects)] },
  { id: "messages", title: "Messages a second", lines: () => [field("in", "in", moved("messages_in")), field("out", "out", moved("messages_out"))] },
  { id: "bytes", title: "Payload a second", format: bytes, lines: () => [field("in", "in", moved("bytes_in")), field("out", "out", moved("bytes_out"))] },
  { id: "rejections", title: "Rejections by code", lines: byCode("rejections"), empty: "none" },
  { id: "closes", title: "Closes by code", lines: byCode("closes"), empty: "none" },
];

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
for (const chart of CHARTS) {
  const picture = svg("svg", { viewBox: `0 0 ${SECONDS} 100`, preserveAspectRatio: "none", role: "img" });
  picture.append(svg("path", { class: "grid", d: `M0 50H${SECONDS}M0 2H${SECONDS}` }));
  const area = picture.appendChild(svg("path", { class: "area" }));
  const paths = KEYS.map((key) => picture.appendChild(svg("path", { class: key })));
  const cross = picture.appendChild(svg("path", { class: "cross" }));
  const legend = element("span", { className: "legend" });
  const top = span("top", "");
  const caption = element("figcaption", {}, element("strong", { textContent: chart.title }), legend);
  const axis = element("div", { className: "axis" }, span("", "10 min ago"), span("", "5"), span("", "now"));
  byId("charts").append(element("figure", { id: `chart-${chart.id}` }, caption, element("div", { className: "plot" }, top, picture), axis));
  Object.assign(chart, { picture, area, paths, cross, legend, top, axis });
  picture.addEventListener("pointermove", (event) => {
    const { left, width } = picture.getBoundingClientRect();
    pointedAt = lastSecond - SECONDS + 1 + Math.round(((event.clientX - left) / width) * (SECONDS - 1));
    draw();
  });
  picture.addEventListener("pointerleave", () => { pointedAt = null; draw(); });
}
/** A number that is not below this, and round in its unit. */
function roundUp(value, unit = 1) {
  while (unit > 1 && value >= unit * 1024) unit *= 1024;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value / unit)));
  return [1, 2, 5, 10].map((step) => step * power * unit).find((step) => step >= value) ?? unit;
}
function draw() {
  const first = lastSecond - SECONDS + 1;
  const at = seconds.get(pointedAt ?? lastSecond);
  for (const { title, lines: make, format = number, empty, picture, area, paths, cross, legend, top, axis } of CHARTS) {
    const lines = make();
    let most = 1;
    for (const second of seconds.values()) for (const { get } of lines) most = Math.max(most, get(second) ?? 0);
    const ceiling = roundUp(most, format === bytes && most >= 1024 ? 1024 : 1);
    paths.forEach((path, key) => {
      const line = lines[key];
      let steps = "";
      let isOpen = false;
      let begin = null;
      let end = 0;
      for (const second of line ? seconds.values() : []) {
        const value = line.get(second);
        if (value === undefined) { isOpen = false; continue; }
        const x = second.at - first;
        begin ??= x;
        end = x;
        steps += `${isOpen ? "L" : "M"}${x} ${(98 - (96 * value) / ceiling).toFixed(1)}`;
        isOpen = true;
      }
      path.setAttribute("d", steps);
      // Under the first line, where it is in one piece.
      const isWhole = key === 0 && steps.lastIndexOf("M") === 0;
      if (key === 0) area.setAttribute("d", isWhole ? `${steps}V100H${begin}Z` : "");
    });
    cross.setAttribute("d", pointedAt ? `M${pointedAt - first} 0V100` : "");
    const values = lines.map(({ label, get, sum }) => [label, pointedAt || !sum ? shown(at && get(at), format) : shown(sum(), format)]);
    const texts = lines.length ? values : [[empty ?? "", ""]];
    while (legend.children.length > texts.length) legend.lastChild.remove();
    while (legend.children.length < texts.length) legend.append(element("span", {}, "", element("b")));
    texts.forEach(([label, value], key) => {
      const item = legend.children[key];
      item.className = lines.length ? KEYS[key] : "";
      const text = label ? `${label} ` : "";
      if (item.firstChild.data !== text) item.firstChild.data = text;
      say(item.lastChild, value);
    });
    say(top, format(ceiling));
    say(axis.lastChild, pointedAt ? new Date(pointedAt * 1000).toLocaleTimeString("en-GB") : "now");
    picture.setAttribute("aria-label", `${title}, the last ten minutes: ${values.map((value) => value.join(" ")).join(", ") || empty}; at most ${format(most)}`);
  }
}
function remember(news) {
  for (const second of news) {
    seconds.set(second.at, second);
    lastSecond = second.at;
  }
  for (const at of seconds.keys()) {
    if (at > lastSecond - SECONDS) break;
    seconds.delete(at);
  }
  if (news.length) draw();
}

// ---- Tables: rows are kept and filled again, so that focus stays where it is.

/** A table whose heads sort it, with a button that opens in the first cell of each row. */
function table({ columns, heads, body, view, changed, open, doing, isChosen, markBad }) {
  const by = (name) => byId(`${heads}-by-${name}`);
  for (const [name, title, format] of columns) {
    const button = element("button", { textContent: title, type: "button" });
    button.addEventListener("click", () => {
      view.descending = view.sort === name ? !view.descending : Boolean(format);
      view.sort = name;
      view.page = 0;
      changed();
      mark();
    });
    byId(heads).append(element("th", { scope: "col", className: format ? "number" : "", id: `${heads}-by-${name}` }, button));
  }
  if (doing) byId(heads).append(element("th", { scope: "col" }, span("", "Actions")));
  function mark() {
    for (const [name, title] of columns) {
      const isSorted = name === view.sort;
      if (isSorted) by(name).setAttribute("aria-sort", view.descending ? "descending" : "ascending");
      else by(name).removeAttribute("aria-sort");
      say(by(name).firstChild, title + (isSorted ? (view.descending ? " ↓" : " ↑") : ""));
    }
  }
  mark();
  function newRow() {
    const row = element("tr");
    for (const [, , format] of columns) row.append(element("td", { className: format ? "number" : "" }));
    const button = element("button", { type: "button", className: "link" });
    button.addEventListener("click", () => open(row.shown));
    row.children[0].append(button);
    if (doing) row.append(element("td", {}, ...doing(row)));
    return row;
  }
  byId(body).addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = step && event.target.closest("tr")?.[step]?.querySelector("button");
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  return function fill(rows) {
    const list = byId(body);
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) list.append(newRow());
    rows.forEach((data, at) => {
      const row = list.children[at];
      const [key] = columns[0];
      // Another stands here now: what was half asked of the one before is not asked of it.
      if (row.shown?.[key] !== data[key]) for (const button of row.querySelectorAll("button.sure")) button.calm();
      row.shown = data;
      row.className = isChosen(data) ? "chosen" : "";
      columns.forEach(([name, , format], column) => {
        const cell = row.children[column];
        const text = shown(data[name], format);
        say(column === 0 ? cell.firstChild : cell, text);
        if (column > 0) {
          cell.classList.toggle("none", text === "–");
          cell.classList.toggle("bad", markBad(name, data[name]));
        }
        if (!format && cell.title !== text) cell.title = text;
      });
    });
  };
}
/** A button that asks once more before it does something. */
function sure(button, then) {
  const title = button.textContent;
  button.calm = () => { button.textContent = title; button.classList.remove("sure"); };
  button.addEventListener("blur", button.calm);
  button.addEventListener("keydown", (event) => { if (event.key === "Escape") button.calm(); });
  button.addEventListener("click", () => {
    if (button.classList.contains("sure")) { button.calm(); then(); return; }
    button.textContent = `Really ${title.toLowerCase()}?`;
    button.classList.add("sure");
  });
  return button;
}
const asks = (title, then) => sure(element("button", { type: "button", textContent: title }), then);
/** Says which rows of how many there are, and whether there are pages before and behind. */
function page(view, { first, rows, found }, label, previous, next, more = "") {
  const last = first + rows.length;
  say(label, found ? `${number(first + 1)} to ${number(last)} of ${number(found)}${more}` : "none");
  previous.disabled = view.page === 0;
  next.disabled = last >= found;
}

// ---- Sessions.

const view = { sort: "queue_bytes", descending: true, filter: "", page: 0 };
const SESSION = [
  ["id", "Session"], ["route", "Route"], ["peer", "Peer"], ["principal", "Principal"], ["subprotocol", "Subprotocol"],
  ["age_ms", "Age", duration], ["round_trip_ms", "Round trip", (ms) => `${ms.toFixed(1)} ms`],
  ["messages_in", "In", number], ["bytes_in", "Bytes in", bytes],
  ["messages_out", "Out", number], ["bytes_out", "Bytes out", bytes],
  ["queue_bytes", "Queue", bytes], ["dropped", "Dropped", number], ["ratio", "Wire/payload", (ratio) => ratio.toFixed(2)],
];
let followed = null;
let fillSessions;
let actions = null;

function makeSessions() {
  byId("columns").replaceChildren();
  byId("rows").replaceChildren();
  const doing = (row) => [
    ...(actions.includes("close-session") ? [asks("Close", () => act("close-session", row.shown.id, "closed by an operator"))] : []),
    ...(actions.includes("disconnect-principal") ? [asks("Disconnect", () => act("disconnect-principal", row.shown.principal ?? "", "closed by an operator"))] : []),
  ];
  fillSessions = table({
    columns: SESSION, heads: "columns", body: "rows", view,
    changed: () => ask({ view }),
    open: (session) => follow(session.id),
    doing: actions.some((action) => action === "close-session" || action === "disconnect-principal") && doing,
    isChosen: (session) => session.id === followed,
    markBad: (name, value) => (name === "queue_bytes" && value >= MANY_QUEUED_BYTES) || (name === "dropped" && value > 0),
  });
}
function showSessions(sessions) {
  fillSessions(sessions.rows);
  page(view, sessions, byId("found"), byId("previous"), byId("next"));
  byId("no-sessions").hidden = sessions.found > 0;
}
byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; view.page = 0; ask({ view }); });
byId("previous").addEventListener("click", () => { view.page--; ask({ view }); });
byId("next").addEventListener("click", () => { view.page++; ask({ view }); });

// ---- One session.

function follow(id) {
  followed = id;
  byId("passed").replaceChildren();
  byId("detail").replaceChildren();
  say(byId("passed-note"), "");
  byId("followed").hidden = !id;
  if (id) say(byId("followed-title"), `Session ${id}`);
  ask({ follow: id });
}
function showFollowed(session) {
  if (!followed) return;
  say(byId("followed-title"), `Session ${followed}${session ? "" : ", which has ended"}`);
  if (!session) return;
  const list = byId("detail");
  if (!list.children.length) list.append(...SESSION.slice(1).flatMap(([, title, format]) => [element("dt", { textContent: title }), element("dd", { className: format ? "" : "text" })]));
  SESSION.slice(1).forEach(([name, , format], at) => say(list.children[2 * at + 1], shown(session[name], format)));
}
function showPassed({ id, messages, missed, shows_contents: showsContents }) {
  if (id !== followed) return;
  say(byId("passed-note"), [showsContents ? "" : "their contents are not shown", missed ? `${number(missed)} more were not shown` : ""].filter(Boolean).join("; "));
  if (byId("pause").ariaPressed === "true") return;
  const list = byId("passed");
  for (const { at_ms: at, is_in: isIn, kind, bytes: size, code, text } of messages) {
    const way = element("span", { className: isIn ? "way" : "way out", textContent: isIn ? "in" : "out" });
    const line = element("li", {}, clock(new Date(at)), way, span("", code ? `${kind} ${code}` : kind), span("quiet", bytes(size)));
    if (text !== null) line.append(element("code", { textContent: text }));
    list.prepend(line);
  }
  while (list.children.length > MAX_PASSED) list.lastChild.remove();
}
byId("unfollow").addEventListener("click", () => follow(null));
byId("pause").addEventListener("click", ({ target }) => {
  target.ariaPressed = String(target.ariaPressed !== "true");
  target.textContent = target.ariaPressed === "true" ? "Go on" : "Pause";
});

// ---- Rooms.

const roomsView = { sort: "rate", descending: true, prefix: "", page: 0 };
const ROOM = [
  ["name", "Room"], ["seats", "Here", number], ["members", "Members", number],
  ["rate", "Messages a second", (rate) => rate.toFixed(1)], ["messages", "Messages", number],
  ["dropped", "Dropped", number], ["gaps", "Gaps", number],
];
let openedRoom = null;
const fillRooms = table({
  columns: ROOM, heads: "rooms-columns", body: "rooms-rows", view: roomsView,
  changed: () => ask({ rooms: roomsView }),
  open: (room) => openRoom(room.name),
  isChosen: (room) => room.name === openedRoom,
  markBad: (name, value) => (name === "dropped" || name === "gaps") && value > 0,
});
function openRoom(name) {
  openedRoom = name;
  byId("room").hidden = name === null;
  byId("members").replaceChildren();
  if (name !== null) say(byId("room-title"), `Room ${name}`);
  ask({ room: name });
}
function showRooms(rooms) {
  byId("hub").hidden = !rooms;
  if (!rooms) return;
  const { stats } = rooms;
  const figures = ["rooms", "members", "published", "delivered", "dropped", "gaps"].map((name) => `${name} ${number(stats[name])}`);
  if (stats.foreign) figures.push(`not understood ${number(stats.foreign)}`);
  if (!stats.bus.connected) figures.push("the bus is away");
  say(byId("hub-figures"), figures.join(" · "));
  fillRooms(rooms.rows);
  page(roomsView, rooms, byId("rooms-found"), byId("rooms-previous"), byId("rooms-next"), rooms.is_cut ? ", the first by name" : "");
  byId("no-rooms").hidden = rooms.found > 0;
  if (!rooms.open || rooms.open.name !== openedRoom) return;
  const members = rooms.open.members;
  if (!members) { byId("members").replaceChildren(element("li", {}, span("quiet", "This room has no presence."))); return; }
  byId("members").replaceChildren(...members.map(({ principal, session, metadata, age_ms: age }) => {
    const line = element("li", {}, span("tag", shown(principal)), span("", duration(age)), span("quiet", session));
    if (metadata !== null) line.append(element("code", { textContent: JSON.stringify(metadata) }));
    return line;
  }));
}
byId("rooms-prefix").addEventListener("input", (event) => { roomsView.prefix = event.target.value; roomsView.page = 0; ask({ rooms: roomsView }); });
byId("rooms-previous").addEventListener("click", () => { roomsView.page--; ask({ rooms: roomsView }); });
byId("rooms-next").addEventListener("click", () => { roomsView.page++; ask({ rooms: roomsView }); });
byId("room-close").addEventListener("click", () => openRoom(null));
byId("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  act("publish", openedRoom, byId("publish-text").value);
  byId("publish-text").value = "";
});

// ---- Events.

const KIND = { upgraded: "good", rejected: "bad", failed: "bad", intervened: "act" };
function tell({ event: name, id, ...rest }) {
  const line = element("li", { className: KIND[name] ?? "" }, clock(new Date()), span("tag", name));
  if (id) {
    const button = element("button", { type: "button", className: "link", textContent: id, disabled: name === "rejected" || name === "closed" });
    button.addEventListener("click", () => follow(id));
    line.append(button);
  }
  for (const [key, value] of Object.entries(rest)) {
    if (value === null || value === "") continue;
    line.append(element("span", {}, span("quiet", `${key} `), String(value)));
  }
  const list = byId("events");
  list.prepend(line);
  while (list.children.length > MAX_EVENTS) list.lastChild.remove();
  byId("no-events").hidden = true;
}

// ---- The socket.

let socket;
const heard = {
  hello(message) {
    say(byId("who"), `${message.who}, on ${message.driver}`);
    if (String(actions) !== String(message.actions)) { ({ actions } = message); makeSessions(); }
    byId("drain").hidden = !actions.includes("drain");
    byId("publish").hidden = !actions.includes("publish");
    seconds.clear();
    ask({ view });
    ask({ rooms: roomsView });
    if (followed) ask({ follow: followed });
    if (openedRoom !== null) ask({ room: openedRoom });
  },
  look(message) {
    remember(message.seconds);
    if (!fillSessions) return;
    showSessions(message.sessions);
    showFollowed(message.followed);
    showRooms(message.rooms);
    say(byId("missed"), message.missed ? `${number(message.missed)} more in the last second` : "");
  },
  passed: showPassed,
  event: (message) => tell(message.event),
  done: ({ action, on, sessions }) => say(byId("says"), `Done: ${action.replace("-", " ")} ${on} (${number(sessions)})`),
  refused: ({ why }) => say(byId("says"), `Not done: ${why}`),
};
function ask(wish) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}
function act(action, on, text) { ask({ act: { action, on, text } }); }
sure(byId("drain"), () => act("drain", "", ""));

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input")) {
    event.preventDefault();
    byId("filter").focus();
  }
});

function state(kind, text) {
  byId("state").dataset.state = kind;
  say(byId("state"), text);
}
function connect(attempt) {
  const proof = document.querySelector("meta[name=proof]").content;
  const address = new URL(location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.hash = "";
  socket = new WebSocket(address, ["wharf.inspector", `proof.${proof}`]);
  socket.onopen = () => { attempt = 0; state("live", "live"); };
  socket.onmessage = ({ data }) => { const message = JSON.parse(data); heard[message.kind]?.(message); };
  socket.onclose = () => {
    state("gone", "disconnected");
    setTimeout(() => connect(attempt + 1), Math.min(15_000, 500 * 2 ** attempt) * (0.5 + Math.random() / 2));
  };
}
draw();
connect(0);
