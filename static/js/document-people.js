// Who else has the document open, and where; and hints that something has changed.
import { format, texts } from "./dom.js";

const words = texts.documents;
const SAY_MS = 4000;
const FIRST_MS = 800;
const LONGEST_MS = 30000;

export class People {
  /** `page` has root, line(); `onChanged(revision)` and `onMargin()` are called when somebody else did something. */
  constructor(page, { onChanged, onMargin }) {
    this.page = page;
    this.part = page.root.querySelector('[data-part="people"]');
    this.onChanged = onChanged;
    this.onMargin = onMargin;
    this.failures = 0;
    this.#open();
  }

  #open() {
    const url = new URL(this.page.root.dataset.socket, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    let teller = null;
    socket.onopen = () => {
      // What happened while nobody listened is found out by looking.
      if (this.failures) this.onChanged(Infinity);
      this.failures = 0;
      const tell = () => socket.send(JSON.stringify({ line: this.page.line() }));
      tell();
      teller = setInterval(tell, SAY_MS);
    };
    socket.onmessage = (message) => this.#take(JSON.parse(message.data));
    socket.onclose = (event) => {
      clearInterval(teller);
      this.#show([]);
      if (event.code >= 4400 && event.code < 4500) return;
      this.failures += 1;
      setTimeout(() => this.#open(), Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures) * (0.5 + Math.random() / 2));
    };
  }

  #take(frame) {
    if (frame.type === "people") this.#show(frame.people.filter((each) => !each.me));
    else if (frame.type === "changed") this.onChanged(frame.revision);
    else if (frame.type === "margin") this.onMargin();
  }

  #show(people) {
    this.part.replaceChildren();
    for (const each of people) {
      const mark = document.createElement("span");
      mark.className = "avatar avatar-round";
      const where = each.line ? format(words.atLine, { name: each.name, line: each.line }) : each.name;
      mark.title = where;
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", where);
      mark.textContent = each.name.slice(0, 2);
      this.part.append(mark);
    }
  }
}
