"use strict";

const $ = (selector) => document.querySelector(selector);

// make returns an element with a class, a text and children.
function make(name, className, ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

async function post(path, body) {
  let refused = "";
  try {
    const response = await fetch(path, {method: "POST", body: JSON.stringify(body)});
    if (!response.ok) refused = await response.text();
  } catch {
    refused = "The program does not answer. Start it again, and open the address that it prints.";
  }
  $("#refused").textContent = refused;
  $("#refused").hidden = refused === "";
}

const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

// The VPN

let shown = -1; // the serial of the VPN's state on the page
let since = 0;

function showVPN(vpn) {
  since = Date.parse(vpn.since);
  if (vpn.serial === shown) return;
  const opened = shown === -1; // somebody may be typing already
  shown = vpn.serial;
  const is = (...states) => states.includes(vpn.state);
  $("#ask").textContent = is("login") ? "Sign in to the VPN" : "One more step";
  $("#ask").hidden = !is("login", "challenge") && !(is("waiting") && vpn.message);
  $("#login").hidden = !is("login", "rejected", "failed");
  $("#people").hidden = $("#login").hidden;
  $("#answer").hidden = !is("challenge");
  $("#waiting").hidden = !is("waiting");
  $("#again").hidden = !is("accepted");
  $("#refused").hidden = true;
  verdict(vpn, is);
  showMessage(vpn);
  if (is("challenge")) {
    $("#answer input").value = "";
    $("#answer input").focus();
  } else if (is("login") && !opened) {
    $("#login").reset();
  }
}

// showMessage shows the server's text in a frame that nothing can look into, so
// that its height is a guess.
function showMessage(vpn) {
  const message = $("#message");
  message.hidden = !vpn.lines?.length;
  if (message.hidden) return;
  const source = "/message?n=" + vpn.message;
  if (message.getAttribute("src") === source) return;
  message.src = source;
  const room = (message.clientWidth - 20) / 7.6; // characters
  const rows = vpn.lines.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / room)), 0);
  message.style.height = `${rows * 22.5 + 4}px`;
}

function verdict(vpn, is) {
  const box = $("#verdict");
  box.hidden = !is("accepted", "rejected", "failed");
  if (box.hidden) return;
  box.className = is("accepted") ? "ok" : "bad";
  const [title, text] = {
    accepted: ["Connected", `${vpn.username} is logged in to the VPN.`],
    rejected: ["Access denied", vpn.lines?.length ? "" : "The server tells users no more. Its log has the reason."],
    failed: ["No reply", vpn.error],
  }[vpn.state];
  box.querySelector("h2").textContent = title;
  box.querySelector("p").textContent = text;
}

$("#login").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  post("/login", {Username: form.get("username"), Password: form.get("password")});
});
$("#answer").addEventListener("submit", (event) => {
  event.preventDefault();
  post("/answer", {Answer: new FormData(event.target).get("answer")});
});
for (const button of document.querySelectorAll(".cancel")) {
  button.addEventListener("click", () => post("/cancel", {}));
}
for (const button of document.querySelectorAll("#people button")) {
  button.addEventListener("click", () => {
    $("#login [name=username]").value = button.dataset.name;
    $("#login [name=password]").value = button.dataset.password;
    $("#login .primary").focus();
  });
}

// The phone

const calls = {
  phone: {kind: "Phone call", approve: "Press a key", deny: "Hang up"},
  push: {kind: "Duo Push", approve: "Approve", deny: "Deny"},
};

function showPhone(phone) {
  $("#owner").textContent = phone.owner ? `Phone of ${phone.owner}` : "Phone";
  showPushes(phone.pushes ?? []);
  $("#said").textContent = phone.said;
  $("#said").hidden = phone.said === "";
  $("#messages").replaceChildren(...(phone.messages ?? []).filter((m) => m.owner === phone.owner).map(message));
  $("#token").hidden = phone.token === "";
  $("#token .code").textContent = phone.token;
  $("#quiet").hidden = Boolean(phone.pushes?.length || $("#messages").children.length || phone.said || phone.token);
}

// showPushes keeps the cards that are there: somebody may be typing in one.
function showPushes(pushes) {
  const list = $("#pushes");
  for (const card of [...list.children]) {
    if (!pushes.some((p) => p.txid === card.dataset.txid)) card.remove();
  }
  for (const p of pushes) {
    let card = [...list.children].find((c) => c.dataset.txid === p.txid);
    if (!card) list.append(card = pushCard(p));
    if (p.typed) card.querySelector(".error").hidden = !p.wrong;
  }
}

function pushCard(p) {
  const call = calls[p.factor] ?? calls.push;
  const card = make("form", "card", make("p", "kind", `${call.kind} to ${p.owner}`), make("h3", "", p.text));
  card.dataset.txid = p.txid;
  const facts = make("dl");
  for (const [name, value] of [["From", p.from], ["NAS", p.nas]]) {
    if (value) facts.append(make("dt", "", name), make("dd", "", value));
  }
  const left = make("progress");
  left.max = 60;
  left.title = "Time left to answer";
  left.dataset.ends = Date.parse(p.ends);
  card.append(facts, left);
  if (p.typed) {
    const field = make("input");
    Object.assign(field, {name: "code", inputMode: "numeric", autocomplete: "off", required: true});
    const wrong = make("p", "error", "That is not the number on the VPN's page.");
    wrong.hidden = true;
    card.append(make("label", "", "The number on the VPN's page", field), wrong);
  }
  const decide = (answer) => post("/phone", {TxID: p.txid, Answer: answer, Code: card.elements.code?.value ?? ""});
  const approve = make("button", "primary", call.approve);
  const deny = make("button", "deny", call.deny);
  const fraud = make("button", "fraud", "It was not me");
  deny.type = fraud.type = "button";
  card.addEventListener("submit", (event) => { event.preventDefault(); decide("approve"); });
  deny.addEventListener("click", () => decide("deny"));
  fraud.addEventListener("click", () => decide("fraud"));
  card.append(make("div", "buttons", approve, deny, fraud));
  return card;
}

function message(sms) {
  const codes = make("div", "codes");
  for (const code of sms.codes) {
    const button = make("button", sms.good.includes(code) ? "code" : "code used", code);
    button.type = "button";
    button.addEventListener("click", () => copy(code));
    codes.append(button);
  }
  return make("div", "card", make("p", "kind", `SMS to ${sms.owner}, ${clock(sms.sent)}`), "SMS passcodes", codes,
    make("p", "hint", "Each is good once. Log in again, and click one to type it."));
}

function copy(code) {
  if (!$("#answer").hidden) {
    $("#answer input").value = code;
    $("#answer .primary").focus();
  }
}
$("#token .code").addEventListener("click", () => copy($("#token .code").textContent));

// Packets and log

// add appends to a list, and follows its end unless somebody has scrolled up.
function add(list, entry) {
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(entry);
  while (list.children.length > 400) list.firstChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function showPacket(p) {
  const list = $("#wire .pane");
  const old = list.querySelector(`[data-id="${Number(p.id)}"]`);
  if (old) {
    old.querySelector(".times").textContent = again(p);
    return;
  }
  const kind = p.code.replace("Access-", "").toLowerCase();
  const entry = make("li", "",
    make("div", "head", make("time", "", clock(p.time)), make("span", "", p.sent ? "server → VPN" : "VPN → server"),
      make("span", "badge " + kind, p.code), make("span", "", `Identifier ${p.identifier}`), make("span", "times", again(p))));
  entry.dataset.id = p.id;
  entry.title = `${p.sent ? "to" : "from"} ${p.peer}, ${p.length} bytes`;
  const attributes = make("dl");
  for (const a of p.attributes ?? []) attributes.append(make("dt", "", a.name), make("dd", "", a.value));
  entry.append(attributes);
  add(list, entry);
}

const again = (p) => p.times > 1 ? `sent ${p.times} times` : "";

function showLog(line) {
  const {time, level, msg, ...fields} = line;
  const entry = make("li", "", make("div", "head", make("time", "", clock(time)), make("span", "level " + level, level),
    make("span", "text", msg)));
  const rest = make("div", "fields");
  for (const [name, value] of Object.entries(fields)) {
    const text = name === "duration" ? `${(value / 1e6).toFixed(1)}ms` : String(value);
    rest.append(`${name}=`, make("b", "", text), " ");
  }
  entry.append(rest);
  add($("#log .pane"), entry);
}

// What the program sends

const events = new EventSource("/events");
const on = (name, show) => events.addEventListener(name, (event) => show(JSON.parse(event.data)));
on("reset", () => {
  for (const list of document.querySelectorAll(".pane")) list.replaceChildren();
  shown = -1;
});
on("state", (state) => { showVPN(state.vpn); showPhone(state.phone); });
on("packet", showPacket);
on("log", showLog);
const link = (text) => { $("#link").textContent = text; $("#link").classList.toggle("live", text === "live"); };
events.onopen = () => link("live");
events.onerror = () => link("the program has ended");

setInterval(() => {
  const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
  const asked = document.querySelector("#pushes .card") !== null;
  $("#waited").textContent = seconds < 6 ? asked ? "The phone has a question." : ""
    : `${seconds} s so far. It asks again every 5 s, and that is no second login.`;
  for (const left of document.querySelectorAll("progress")) left.value = (left.dataset.ends - Date.now()) / 1000;
}, 250);
