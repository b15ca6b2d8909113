// Suggestions and comments beside the text: asked for with a selection, followed while they are written, decided.
import { format, texts } from "./dom.js";
import { toCharacters, toUnits } from "./document-marks.js";
import { send } from "./document-saving.js";
import { GenerationStream } from "./stream.js";
import { toast } from "./toasts.js";

const words = texts.documents;
const LONGEST = 8000;
// Continuing without a selection goes on from this much before the caret.
const BEFORE_CARET = 300;

export class Margin {
  /** `page` has root, text (a TextField), saver. */
  constructor(page) {
    this.page = page;
    this.region = page.root.querySelector('[data-region="margin"]');
    this.streams = new Map();
    this.region.addEventListener("submit", (event) => this.#onSubmit(event), true);
    this.region.addEventListener("click", (event) => this.#onClick(event));
    this.follow();
  }

  /** Shows what the server has beside the text now. */
  async refresh() {
    const response = await fetch(this.page.root.dataset.margin, { credentials: "same-origin" }).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-margin-of]");
    if (!fresh) return;
    const writing = this.region.contains(document.activeElement) && document.activeElement.value ? document.activeElement : null;
    if (writing) return;
    this.region.replaceChildren(document.adoptNode(fresh));
    this.follow();
  }

  /** Follows every suggestion that is being written. */
  follow() {
    for (const card of this.region.querySelectorAll("[data-suggestion][data-busy]")) {
      const id = card.dataset.generation;
      this.streams.get(id)?.close();
      const target = card.querySelector('[data-part="words"]');
      target.textContent = "";
      const stream = new GenerationStream(
        { socket: `/ws/generations/${id}/`, events: `/api/v1/generations/${id}/stream` },
        {
          onStatus: () => {},
          onText: (text) => target.append(text),
          onReset: () => target.replaceChildren(),
          onDone: () => {
            this.streams.delete(id);
            this.refresh();
          },
          onConnection: () => {},
        },
      );
      this.streams.set(id, stream.start());
    }
  }

  /** The selected words as the server counts them, once it has the text; null, and why, where that cannot be. */
  async selection({ orBefore = false } = {}) {
    const { start, end } = this.page.text.selection;
    if (!(await this.page.saver.flush())) return null;
    const text = this.page.text.value;
    let from = start;
    if (start === end && orBefore) {
      from = Math.max(0, start - BEFORE_CARET);
      const line = text.indexOf("\n\n", from);
      if (line >= 0 && line + 2 < start) from = line + 2;
    }
    const quote = text.slice(from, end);
    if (!quote.trim()) toast(words.select);
    else if (quote.length > LONGEST) toast(format(words.tooLong, { most: LONGEST }));
    else {
      const first = toCharacters(text, from);
      return { revision: this.page.saver.base, start: first, end: first + toCharacters(quote, quote.length), quote };
    }
    return null;
  }

  async rework(action) {
    const selection = await this.selection({ orBefore: action === "continue" });
    if (!selection) return;
    const language = this.page.root.querySelector("#rework-language").value;
    const model = this.page.root.querySelector("#rework-model").value;
    await this.#post(this.page.root.dataset.suggest, { ...selection, action, language, model });
  }

  async comment(selection, text) {
    return this.#post(this.page.root.dataset.comment, { ...selection, text });
  }

  async #post(url, body) {
    try {
      const answer = await send(url, body);
      if (answer.status >= 400) {
        toast(answer.message ?? texts.failed, { kind: "error" });
        return null;
      }
      await this.refresh();
      return answer;
    } catch {
      toast(texts.offline, { kind: "error" });
      return null;
    }
  }

  async #onSubmit(event) {
    const form = event.target;
    if (!form.matches("[data-decide], [data-remark]")) return;
    event.preventDefault();
    const body = new FormData(form);
    if (form.matches("[data-decide]") && !(await this.page.saver.flush())) return;
    // Otherwise what was written would keep the margin from showing it.
    document.activeElement?.blur();
    const answer = await this.#post(form.action, body);
    if (answer?.text === undefined) return;
    const changed = answer.text !== this.page.text.value;
    this.page.saver.adopt(answer, changed ? words.accepted : "");
  }

  #onClick(event) {
    if (!event.target.closest("[data-go]")) return;
    const card = event.target.closest("[data-start]");
    const text = this.page.text.value;
    this.page.showText();
    this.page.text.select(toUnits(text, Number(card.dataset.start)), toUnits(text, Number(card.dataset.end)));
  }
}
