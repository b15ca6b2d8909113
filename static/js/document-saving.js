// Saving by itself: after a pause in typing, on top of the revision that was read, and never over somebody else's words.
import { csrfToken, format, texts } from "./dom.js";

const words = texts.documents;
const PAUSE_MS = 900;
const LONGEST_MS = 6000;
const RETRY_MS = 3000;
const LONGEST_RETRY_MS = 30000;

/** Posts JSON and expects JSON; throws where there is no answer at all. */
export async function send(url, body) {
  const form = body instanceof FormData;
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  if (!form) headers["Content-Type"] = "application/json";
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: form ? body : JSON.stringify(body),
    credentials: "same-origin",
  });
  // Signed out meanwhile: the text is kept in the tab, and is there when the person comes back.
  if (response.redirected) return { status: 401, message: texts.failed };
  return { status: response.status, ...(await response.json().catch(() => ({}))) };
}

export class Saver {
  /** `page` has url, key, revision, text (a TextField), title (an input), and show(state, problem), clash(answer). */
  constructor(page) {
    this.page = page;
    this.base = page.revision;
    this.savedText = page.text.value;
    this.savedTitle = page.title.value;
    this.retries = 0;
    this.blocked = false;
    this.#restore();
    for (const field of [page.text.area, page.title]) field.addEventListener("input", () => this.changed());
    window.addEventListener("online", () => this.flush());
    window.addEventListener("beforeunload", (event) => this.dirty && event.preventDefault());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  get dirty() {
    return this.page.text.value !== this.savedText || this.page.title.value !== this.savedTitle;
  }

  changed() {
    if (!this.dirty || this.blocked) return;
    this.#keep();
    this.page.show(words.unsaved);
    this.firstAt ??= performance.now();
    clearTimeout(this.timer);
    const left = LONGEST_MS - (performance.now() - this.firstAt);
    this.timer = setTimeout(() => this.flush(), Math.max(0, Math.min(PAUSE_MS, left)));
  }

  /** Saves what is not saved yet; true once the server has everything. */
  async flush() {
    clearTimeout(this.timer);
    while (this.running) await this.running;
    if (!this.dirty) return true;
    if (this.blocked || !this.page.title.value.trim()) return false;
    this.running = this.#save();
    await this.running;
    this.running = null;
    return !this.dirty;
  }

  async #save() {
    const text = this.page.text.value;
    const title = this.page.title.value;
    this.firstAt = null;
    this.page.show(words.saving);
    let answer;
    try {
      answer = await send(this.page.url, { base: this.base, text, title });
    } catch {
      return this.#later(words.kept);
    }
    if (answer.status === 409 && answer.parts) return this.#clash(answer);
    if (answer.status >= 500 || answer.status === 429) return this.#later(words.kept);
    if (answer.status >= 400) return this.#refuse(answer);
    this.retries = 0;
    this.#take(answer, text, title);
  }

  #take(answer, text, title) {
    this.savedText = text;
    this.savedTitle = title;
    if (this.page.title.value === title && answer.title !== title) this.page.title.value = this.savedTitle = answer.title;
    const untouched = this.page.text.value === text;
    if (answer.text !== undefined && untouched) {
      // The next save must not send what is only somebody else's as if it were news.
      this.savedText = answer.text;
      this.page.text.adopt(answer.text);
    }
    this.base = untouched ? answer.revision : answer.base;
    const merged = answer.text !== undefined;
    if (this.dirty) this.changed();
    else {
      this.#forget();
      this.page.show(words.saved, merged && untouched ? words.merged : "", false);
    }
    this.page.saved?.(answer.revision);
  }

  /** Somebody else's newer text, while nothing here waits to be saved. */
  adopt(answer, note) {
    if (this.dirty || this.running || answer.revision <= this.base) return;
    this.savedText = answer.text;
    this.savedTitle = answer.title;
    this.page.title.value = answer.title;
    this.page.text.adopt(answer.text);
    this.base = answer.revision;
    this.#forget();
    this.page.show(words.saved, note ?? words.updated, false);
  }

  /** Goes on from what was chosen between both texts: the choice is made of the present revision. */
  settle(text, answer) {
    this.blocked = false;
    this.base = answer.revision;
    this.savedText = answer.text;
    this.savedTitle = answer.title;
    this.page.text.adopt(text);
    this.changed();
    if (this.dirty) this.flush();
    else this.#forget();
  }

  #clash(answer) {
    this.blocked = true;
    this.#keep();
    this.page.show(words.unsaved, words.conflict);
    this.page.clash(answer);
  }

  #later(problem) {
    this.retries += 1;
    this.#keep();
    this.page.show(words.unsaved, problem);
    const pause = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (this.retries - 1));
    this.timer = setTimeout(() => this.flush(), pause * (0.5 + Math.random() / 2));
  }

  #refuse(answer) {
    this.#keep();
    this.page.show(words.unsaved, format(words.refused, { reason: answer.message ?? texts.failed }));
  }

  #keep() {
    const kept = { base: this.base, text: this.page.text.value, title: this.page.title.value };
    try {
      sessionStorage.setItem(this.page.key, JSON.stringify(kept));
    } catch {
      // A full or forbidden store keeps the text in the field alone; leaving the page asks first.
    }
  }

  #forget() {
    try {
      sessionStorage.removeItem(this.page.key);
    } catch {
      // Nothing is there either.
    }
  }

  #restore() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(this.page.key));
    } catch {
      return;
    }
    if (!kept || (kept.text === this.savedText && kept.title === this.savedTitle)) return;
    this.base = kept.base;
    this.page.text.adopt(kept.text);
    this.page.title.value = kept.title;
    this.page.show(words.unsaved, words.restored);
    this.timer = setTimeout(() => this.flush(), 0);
  }
}
