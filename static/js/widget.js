// The chat window: a contact's conversations, followed live, with what was not sent kept until it is.
import { Picked, attachment, format, meter, upload } from "./widget-files.js";
import { showDraft } from "./live-draft.js";
import { Line, Watch } from "./widget-line.js";
import { askFrame, colour } from "./widget-window.js";

const facts = JSON.parse(document.getElementById("widget-facts").textContent);
const { texts } = facts;
const at = `/public/api/v1/inboxes/${encodeURIComponent(facts.token)}`;
const key = `desk:${facts.token}`;
const SHORT = { dateStyle: "medium", timeStyle: "short" };
const part = (name) => document.querySelector(`[data-${name}]`);
const list = part("list");
const talk = part("talk");
const log = part("messages");
const form = part("form");
const state = part("state");

let secret = recall();
let coming = null;
let number = null;
let line = null;
let last = 0;
let known = new Set();
let nextAttributes = {};
let nextLabels = [];
let profile = {};
let shown = false;
let unread = 0;
let someoneTypes = false;

function recall() {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // A browser that forbids storage in frames forgets the visitor with the page.
  }
}

function keep(value) {
  secret = value;
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {} // As above.
}

function tellPage(message) {
  // Nothing that is told is secret, and only sites that the inbox names may show this window at all.
  if (window.parent !== window) window.parent.postMessage({ desk: 1, ...message }, "*");
}

async function call(method, path, body) {
  const headers = { "x-visitor-secret": secret };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(at + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
  });
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  const error = new Error(found.error?.message ?? String(answer.status));
  error.code = found.error?.code ?? "";
  throw error;
}

/** Who is known goes on; who was signed out elsewhere, or is new, comes in anew. */
async function comeIn() {
  if (secret) return;
  // Once, whoever asks for it meanwhile: two would be two contacts.
  coming ??= call("POST", "/contacts", profile).then((made) => keep(made.source_id)).finally(() => {
    coming = null;
  });
  await coming;
}

/** Programs of the desk that ask for it are told that a visitor has opened the window; otherwise nobody is. */
async function tellOpening(page) {
  if (!facts.tellsOpening) return;
  try {
    await comeIn();
    const languages = { widget_language: document.documentElement.lang, browser_language: navigator.language };
    const body = { name: "webwidget.triggered", event_info: { referer: page ?? "", ...languages } };
    await call("POST", "/contacts/me/events", body);
  } catch (error) {
    complain(error);
  }
}

function complain(error) {
  if (error.code === "visitor_unknown") forget();
  state.textContent = error.code === "lost" ? texts.lost : format(texts.refused, { reason: error.message });
  tellPage({ type: "error", error: { code: error.code, message: error.message } });
}

// ---------------------------------------------------------------- the list

async function showList() {
  line?.close();
  line = null;
  number = null;
  talk.hidden = true;
  list.hidden = false;
  part("back").hidden = true;
  const newest = (await fillList())[0];
  if (shown) part("new").focus();
  if (!newest || list.hidden || line) return;
  line = new Watch(socketOf(newest.uuid), newest.last_sequence, {
    hello: () => ({ secret }),
    onAnswers: (answers) => {
      answers.forEach(tellOf);
      fillList();
    },
    onMoved: () => showList(),
    onRefused: () => forget(),
  });
}

async function fillList() {
  const rows = secret ? await call("GET", "/contacts/me/conversations").catch(() => []) : [];
  part("conversations").replaceChildren(...rows.map(row));
  return rows;
}

const socketOf = (uuid) => `/ws/support/widget/${encodeURIComponent(facts.token)}/${uuid}/`;

function row(each) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const title = document.createElement("span");
  title.textContent = each.messages[0]?.content.slice(0, 80) || format(texts.conversation, { number: each.id });
  const when = document.createElement("small");
  const moment = new Date((each.messages[0]?.created_at ?? each.created_at) * 1000);
  when.textContent = moment.toLocaleString(document.documentElement.lang, SHORT) + (each.status === "resolved" ? ` · ${texts.resolved}` : "");
  button.append(title, when);
  button.addEventListener("click", () => showTalk(each.id, each.uuid));
  item.append(button);
  return item;
}

// ---------------------------------------------------------------- one conversation

function showTalk(id, uuid) {
  line?.close();
  line = null;
  list.hidden = true;
  talk.hidden = false;
  part("back").hidden = false;
  number = id;
  last = 0;
  known = new Set();
  log.replaceChildren();
  state.textContent = "";
  showEmail();
  form.elements.text.focus();
  if (uuid) follow(uuid);
}

/** Outside of hours the answer needs an address; nobody is asked again for the one that they have left. */
async function showEmail() {
  const field = part("email-field");
  field.hidden = true;
  if (facts.isOpen) return;
  if (secret && !profile.email) profile.email = (await call("GET", "/contacts/me").catch(() => ({}))).email;
  field.hidden = Boolean(secret && profile.email);
}

function follow(uuid) {
  line?.close();
  line = new Line(socketOf(uuid), {
    after: () => last,
    hello: () => ({ secret }),
    onFrame: take,
    onState: (isUp) => {
      if (!isUp) showDraft(log, { text: "" });
      state.textContent = isUp ? "" : texts.lost;
    },
    onRefused: () => forget(),
  });
}

function take(frame) {
  if (frame.type === "messages") {
    for (const message of frame.data) add(message);
    // While there are more, a line that breaks goes on behind the last that is here.
    last = Math.max(last, frame.has_more ? frame.data.at(-1).sequence : frame.last);
    if (shown && number) call("POST", `/contacts/me/conversations/${number}/update_last_seen`, {}).catch(() => {});
    if (frame.data.some((each) => each.kind === "outgoing")) showDraft(log, { text: "" });
  } else if (frame.type === "draft") {
    showDraft(log, { text: frame.text, who: texts.bot, className: "theirs" });
  } else if (frame.type === "moved") {
    // Merged by the desk: everything stands in the other conversation, under numbers of its own.
    showTalk(frame.number, frame.uuid);
  } else if (frame.type === "people") {
    const names = frame.people.map((each) => each.name).join(", ");
    // What else stands there, such as why a file cannot be sent, stays.
    if (names || someoneTypes) state.textContent = names ? format(texts.typing, { names }) : "";
    someoneTypes = Boolean(names);
  }
}

// What is read at the end stays at the end when a picture above it has come.
let atEnd = true;
log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
});
log.addEventListener("load", () => atEnd && log.scrollTo({ top: log.scrollHeight }), true);

function add(message) {
  if (known.has(message.sequence)) return;
  known.add(message.sequence);
  log.querySelector(`[data-echo="${CSS.escape(message.client_id ?? "-")}"]`)?.remove();
  const item = bubble(message);
  item.dataset.sequence = message.sequence;
  const next = [...log.children].find((each) => Number(each.dataset.sequence) > message.sequence);
  log.insertBefore(item, next ?? log.querySelector("[data-echo]"));
  log.scrollTop = log.scrollHeight;
  if (message.kind === "outgoing") tellOf(message);
}

function tellOf(message) {
  unread = shown ? 0 : unread + 1;
  tellPage({ type: "unread", count: unread });
  tellPage({ type: "message", message: { id: message.sequence, content: message.content, message_type: 1 } });
}

function bubble(message) {
  const item = document.createElement("li");
  const mine = message.kind === "incoming";
  item.className = mine ? "mine" : "theirs";
  const who = document.createElement("small");
  who.textContent = mine ? texts.you : message.author_name || texts.bot;
  const said = document.createElement("span");
  said.textContent = message.content;
  item.append(who, said);
  for (const file of message.files) {
    const url = `${at}/contacts/me/conversations/${number}/messages/${message.sequence}/attachments/${file.position}`;
    item.append(attachment(file, url, { secret: () => secret, texts, onError: complain }));
  }
  if (message.content_type === "input_csat") item.append(ratings(message.content_attributes.submitted_values?.csat_survey_response?.rating));
  else if (message.content_attributes.items) item.append(choices(message.content_attributes.items));
  return item;
}

function choices(items) {
  const box = document.createElement("div");
  box.className = "widget-choices";
  for (const each of items) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = each.title ?? each.value;
    button.addEventListener("click", () => say(String(each.title ?? each.value)));
    box.append(button);
  }
  return box;
}

function ratings(chosen) {
  const box = document.createElement("div");
  box.className = "widget-choices widget-ratings";
  for (let score = 1; score <= 5; score += 1) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "★".repeat(score);
    button.setAttribute("aria-label", format(texts.rate, { score }));
    button.setAttribute("aria-pressed", String(score === chosen));
    button.addEventListener("click", async () => {
      try {
        await call("POST", `/contacts/me/conversations/${number}/rating`, { rating: score });
        for (const each of box.children) each.setAttribute("aria-pressed", String(each === button));
        state.textContent = texts.thanks;
      } catch (error) {
        complain(error);
      }
    });
    box.append(button);
  }
  return box;
}

// ---------------------------------------------------------------- writing

/** Shown at once, under an id of its own: whoever sends it again sends the same message. */
async function say(content, files = [], echo = crypto.randomUUID()) {
  const item = log.querySelector(`[data-echo="${echo}"]`) ?? document.createElement("li");
  item.dataset.echo = echo;
  item.className = "mine";
  item.textContent = [content, ...files.map((file) => `${texts.file}: ${file.name}`)].filter(Boolean).join("\n");
  log.append(item);
  log.scrollTop = log.scrollHeight;
  line?.quiet();
  try {
    await comeIn();
    if (!number) await begin();
    await send(content, files, echo, item);
  } catch (error) {
    item.querySelector("progress")?.remove();
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = texts.again;
    again.addEventListener("click", () => say(content, files, echo));
    const box = document.createElement("div");
    box.className = "widget-choices";
    box.append(texts.notSent, again);
    item.append(box);
    complain(error);
  }
}

async function begin() {
  const made = await call("POST", "/contacts/me/conversations", { custom_attributes: nextAttributes });
  nextAttributes = {};
  number = made.id;
  follow(made.uuid);
  for (const label of nextLabels.splice(0)) await act("set_label", { label }).catch(complain);
}

async function send(content, files, echo, item) {
  const path = `/contacts/me/conversations/${number}/messages`;
  if (!files.length) return call("POST", path, { content, echo_id: echo });
  const data = new FormData();
  data.append("content", content);
  data.append("echo_id", echo);
  for (const file of files) data.append("attachments[]", file, file.name);
  const bar = meter(texts);
  item.append(bar);
  return upload(at + path, secret, data, (share) => {
    bar.value = share;
  });
}

const act = (name, body) => call("POST", `/contacts/me/conversations/${number}/${name}`, body);

const picked = new Picked({
  form,
  input: part("file-input"),
  button: part("attach"),
  list: part("files"),
  limits: facts.files,
  texts,
  tell: (text) => {
    state.textContent = text;
  },
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = form.elements.text.value.trim();
  const email = form.elements.email.value.trim();
  if (!content && !picked.files.length) return;
  if (!part("email-field").hidden && !email) {
    state.textContent = texts.emailNeeded;
    form.elements.email.focus();
    return;
  }
  if (email) {
    profile.email = email;
    if (secret) await call("PATCH", "/contacts/me", { email }).catch(complain);
    part("email-field").hidden = true;
  }
  form.elements.text.value = "";
  // What was told of this message, such as which files it takes along, is done with.
  if (state.textContent !== texts.lost) state.textContent = "";
  await say(content, picked.take());
});

form.elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
form.elements.text.addEventListener("input", () => line?.say({ typing: true }));
part("new").addEventListener("click", () => showTalk(null, null));
part("back").addEventListener("click", showList);
// A window of its own closes itself, and a frame is put away by the page around it.
const leave = () => (window.parent === window && window.opener ? window.close() : tellPage({ type: "close" }));
part("close").addEventListener("click", leave);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") leave();
});

// ---------------------------------------------------------------- who the visitor is

function forget() {
  keep("");
  profile = {};
  nextAttributes = {};
  nextLabels = [];
  picked.take();
  unread = 0;
  log.replaceChildren();
  tellPage({ type: "unread", count: 0 });
  showList();
}

async function signOut() {
  if (secret) await call("DELETE", "/contacts/me").catch(() => {});
  forget();
}

async function setUser(identifier, user) {
  const names = ["name", "email", "phone_number", "identifier_hash", "token", "avatar_url", "language"];
  const said = Object.fromEntries(names.filter((name) => user[name]).map((name) => [name, String(user[name])]));
  profile = { ...said, identifier };
  // Whoever is just coming in without a name says it then.
  await coming?.catch(() => {});
  try {
    if (secret) await call("PATCH", "/contacts/me", profile);
    else await comeIn();
  } catch (error) {
    // Somebody else's secret, or one that was signed out: this person comes in by themselves.
    if (error.code !== "visitor_unknown") return complain(error);
    keep("");
    await comeIn().catch(complain);
  }
  return showList();
}

window.addEventListener("message", (event) => {
  if (event.source !== window.parent || event.data?.desk !== 1) return;
  const { type, attributes } = event.data;
  if (type === "user") setUser(event.data.identifier, event.data.user ?? {});
  else if (type === "attributes") {
    if (secret) call("PATCH", "/contacts/me", { custom_attributes: attributes }).catch(complain);
    else profile = { ...profile, custom_attributes: attributes };
  } else if (type === "conversation-attributes") {
    if (number) act("set_custom_attributes", { custom_attributes: attributes }).catch(complain);
    else nextAttributes = { ...nextAttributes, ...attributes };
  } else if (type === "conversation-attribute-gone") {
    delete nextAttributes[event.data.name];
    if (number) act("destroy_custom_attributes", { custom_attributes: [event.data.name] }).catch(complain);
  } else if (type === "label") {
    if (number) act(event.data.wanted ? "set_label" : "remove_label", { label: event.data.label }).catch(complain);
    else nextLabels = [...nextLabels.filter((each) => each !== event.data.label), ...(event.data.wanted ? [event.data.label] : [])];
  }
  if (type === "reset") signOut();
  else if (type === "opened") {
    shown = true;
    unread = 0;
    tellPage({ type: "unread", count: 0 });
    (number || !talk.hidden ? form.elements.text : part("new")).focus();
    tellOpening(event.data.page);
  } else if (type === "closed") shown = false;
});

askFrame(facts.token, {
  known: () => secret && { secret, profile },
  taken: (found) => {
    profile = found.profile;
    keep(found.secret);
    showList();
  },
});

if (facts.colour) colour(facts.colour);
if (facts.opening) {
  const moment = new Date(facts.opening).toLocaleString(document.documentElement.lang, SHORT);
  part("opening").textContent = format(texts.nextOpening, { moment });
  part("opening").hidden = false;
}
shown = window.parent === window;
showList();
const accent = getComputedStyle(document.querySelector(".widget-head")).backgroundColor;
tellPage({ type: "ready", colour: accent, label: document.title });
