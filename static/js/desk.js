// The support desk: the list and an open conversation are kept as they are on the server, over sockets that say when to
// look; what is shown is always read from the server, so that a broken line costs a pause and nothing else.
import { lookAgain, setUpDraft } from "./desk-drafts.js";
import { csrfToken, format, isTyping, readJson } from "./dom.js";
import { showDraft } from "./live-draft.js";
import { keepChosen } from "./desk-bulk.js";
import "./desk-intents.js";

const root = document.querySelector("[data-desk]");
const announcer = root.querySelector("[data-announce]");
const composer = root.querySelector("[data-composer]");
const messages = root.querySelector('[data-region="messages"]');
const ready = readJson("canned-texts");
const canned = new Map(Array.isArray(ready) ? ready : []);
const FIRST_MS = 500;
const LONGEST_MS = 20000;
const PRESENCE_MS = 20000;
const TYPING_MS = 3000;
const SCAN_MS = 3000;

let last = Number(root.dataset.last ?? 0);

// ---------------------------------------------------------------- sockets

/** Keeps a socket open: comes back after any gap, and calls `onOpen` each time, since hints may have been missed. */
function keepOpen(path, { onOpen = () => {}, onFrame, query = () => "" }) {
  const state = { socket: null, failures: 0 };
  const open = () => {
    const url = new URL(path + query(), location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    state.socket = socket;
    socket.onopen = () => {
      state.failures = 0;
      onOpen();
    };
    socket.onmessage = (message) => onFrame(JSON.parse(message.data));
    socket.onclose = (event) => {
      if (event.code >= 4400 && event.code < 4500) return;
      state.failures += 1;
      setTimeout(open, Math.min(LONGEST_MS, FIRST_MS * 2 ** state.failures) * (0.5 + Math.random() / 2));
    };
  };
  open();
  return state;
}

async function fetchPage(url) {
  const answer = await fetch(url, { credentials: "same-origin", headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** One run at a time, and one more if something came meanwhile: many hints are one look. */
function once(work) {
  let running = false;
  let again = false;
  const run = async () => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        await work();
      } while (again);
    } catch {
      // A server that is away for a moment is asked again with the next hint, or when the socket is back.
    } finally {
      running = false;
    }
  };
  return run;
}

// ---------------------------------------------------------------- the list

const refreshList = once(async () => {
  const list = root.querySelector('[data-region="list"]');
  if (list.contains(document.activeElement) && isTyping(document.activeElement)) return;
  const page = await fetchPage(location.href.replace(/\/desk\/[0-9a-f-]{36}\/[^?#]*/, "/desk/"));
  const here = root.querySelector(".desk-rows a[aria-current]")?.getAttribute("href");
  const old = list.querySelector(".desk-rows, .desk-none");
  const fresh = page.querySelector(".desk-rows, .desk-none");
  if (!old || !fresh) return;
  const held = document.activeElement?.closest?.(".desk-rows a")?.getAttribute("href");
  old.replaceWith(document.adoptNode(fresh));
  keepChosen();
  for (const link of list.querySelectorAll(".desk-rows a")) {
    if (here && link.getAttribute("href").split("?")[0] === here.split("?")[0]) link.setAttribute("aria-current", "page");
    if (held && link.getAttribute("href") === held) link.focus({ preventScroll: true });
  }
});

keepOpen(root.dataset.listSocket, { onFrame: (frame) => frame.type === "changed" && refreshList() });

// ---------------------------------------------------------------- the conversation

function isAtEnd() {
  return messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
}

/** What an earlier message says has changed: a number in it was masked. */
async function renew(numbers) {
  const page = await fetchPage(`${root.dataset.freshUrl}&after=${Math.min(...numbers) - 1}`);
  for (const number of numbers) {
    const old = document.getElementById(`m-${number}`);
    const now = page.querySelector(`#m-${number}`);
    if (old && now) old.replaceWith(document.adoptNode(now));
  }
}

/** Files that a virus scanner has not judged yet are looked at again. */
async function lookAtScans() {
  const numbers = [...messages.querySelectorAll("[data-scanning]")].map((each) => Number(each.dataset.scanning));
  if (numbers.length) await renew([...new Set(numbers)]).catch(() => {});
}

const refreshConversation = once(async () => {
  const page = await fetchPage(`${root.dataset.freshUrl}&after=${last}`);
  const fresh = page.querySelector("[data-fresh]");
  if (!fresh) return;
  const follow = isAtEnd();
  let said = "";
  for (const item of [...fresh.querySelectorAll('[data-region="messages"] > li')]) {
    // What is here already stays; what is new goes to its place, by its number.
    if (document.getElementById(item.id)) continue;
    const number = Number(item.dataset.sequence);
    const next = [...messages.children].find((each) => Number(each.dataset.sequence) > number);
    messages.insertBefore(document.adoptNode(item), next ?? null);
    said = item.querySelector(".desk-text")?.textContent ?? said;
    if (item.dataset.stale) await renew(item.dataset.stale.split(" ").map(Number));
  }
  const before = last;
  last = Math.max(last, Number(fresh.dataset.last));
  for (const name of ["head", "side"]) {
    const old = root.querySelector(`[data-region="${name}"]`);
    const now = fresh.querySelector(`[data-region="${name}"]`);
    if (old && now && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(now));
  }
  if (follow) messages.scrollTop = messages.scrollHeight;
  if (said && announcer) announcer.textContent = said;
  noteSeen();
  if ("more" in fresh.dataset && last > before) refreshConversation();
});

/** What stands before somebody's eyes has been seen: that is what the next answer says it knows of. */
function noteSeen() {
  if (document.hidden || !messages) return;
  const field = composer?.querySelector("[data-seen]");
  if (field) field.value = String(last);
  const body = new URLSearchParams({ csrfmiddlewaretoken: csrfToken(), seen: String(last) });
  fetch(root.dataset.seenUrl, { method: "POST", body, credentials: "same-origin" }).catch(() => {});
}

function showPeople(people) {
  const place = root.querySelector("[data-people]");
  const typing = people.filter((each) => each.typing).map((each) => each.name);
  const here = people.filter((each) => !each.typing && !each.contact).map((each) => each.name);
  const parts = [];
  if (typing.length) parts.push(format(root.dataset.typing, { names: typing.join(", ") }));
  if (here.length) parts.push(format(root.dataset.viewing, { names: here.join(", ") }));
  place.textContent = parts.join(" · ");
}

if (root.dataset.socket) {
  const line = keepOpen(root.dataset.socket, {
    query: () => `?after=${last}`,
    onFrame: (frame) => {
      if (frame.type === "messages" && frame.last > last) refreshConversation();
      else if (frame.type === "people") showPeople(frame.people);
      else if (frame.type === "draft") showDraft(messages, { text: frame.text, who: root.dataset.writing, className: "desk-message desk-outgoing desk-writing" });
    },
  });
  messages.scrollTop = messages.scrollHeight;
  noteSeen();
  setInterval(lookAtScans, SCAN_MS);
  document.addEventListener("visibilitychange", noteSeen);
  let said = 0;
  composer?.querySelector("[data-text]").addEventListener("input", () => {
    if (Date.now() - said < TYPING_MS || line.socket?.readyState !== WebSocket.OPEN) return;
    said = Date.now();
    line.socket.send(JSON.stringify({ typing: true }));
  });
}

// ---------------------------------------------------------------- the composer

function setUpComposer() {
  const text = composer.querySelector("[data-text]");
  const list = composer.querySelector("[data-canned]");
  const choice = composer.querySelector("[data-canned-choice]");
  let chosen = 0;

  const put = (code) => {
    text.value = text.value.replace(/(^|\s)\/\S*$/, "$1") + (canned.get(code) ?? "");
    list.hidden = true;
    text.focus();
  };
  const matching = () => {
    const typed = /(?:^|\s)\/(\S*)$/.exec(text.value.slice(0, text.selectionStart));
    return typed ? [...canned.keys()].filter((code) => code.startsWith(typed[1])).slice(0, 8) : [];
  };
  const show = () => {
    const codes = matching();
    chosen = Math.min(chosen, Math.max(0, codes.length - 1));
    list.replaceChildren(
      ...codes.map((code, index) => {
        const item = document.createElement("li");
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(index === chosen));
        item.textContent = `/${code} — ${canned.get(code).slice(0, 60)}`;
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          put(code);
        });
        return item;
      }),
    );
    list.hidden = codes.length === 0;
  };
  text.addEventListener("input", show);
  text.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      composer.requestSubmit(composer.querySelector("[data-send]") ?? undefined);
    } else if (!list.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      chosen = Math.max(0, chosen + (event.key === "ArrowDown" ? 1 : -1));
      show();
    } else if (!list.hidden && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      put(matching()[chosen]);
    } else if (!list.hidden && event.key === "Escape") {
      event.stopPropagation();
      list.hidden = true;
    }
  });
  choice?.addEventListener("change", () => {
    if (choice.value) put(choice.value);
    choice.value = "";
  });
}

if (composer) setUpComposer();
const draft = composer?.querySelector("[data-draft]");
if (draft) setUpDraft(composer, draft);
if (root.querySelector("[data-summary-writing]")) lookAgain(root, refreshConversation);

// ---------------------------------------------------------------- keys and presence

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "j" || event.key === "k") {
    const links = [...root.querySelectorAll(".desk-rows a")];
    const at = links.findIndex((link) => link === document.activeElement || link.hasAttribute("aria-current"));
    const next = links[Math.max(0, Math.min(links.length - 1, at + (event.key === "j" ? 1 : -1)))];
    next?.focus();
  } else if (event.key === "r" && composer) {
    event.preventDefault();
    composer.querySelector("[data-text]").focus();
  } else if (event.key === "e" && composer) {
    root.querySelector("[data-resolve]")?.click();
  }
});

function sayPresent() {
  if (!root.querySelector("#availability")) return;
  const body = new URLSearchParams({ csrfmiddlewaretoken: csrfToken() });
  const headers = { accept: "application/json" };
  fetch(root.dataset.presence, { method: "POST", body, headers, credentials: "same-origin" }).catch(() => {});
}

sayPresent();
setInterval(sayPresent, PRESENCE_MS);
