// The textarea as the rest of the page sees it: changes that the browser's own Undo takes back, and keys for marks.
import { texts } from "./dom.js";
import { continued, difference, marked } from "./document-marks.js";

const words = texts.documents;
const KEYS = { "b": "bold", "i": "italic", "e": "code" };
const SHIFTED = { "Digit7": "numbers", "Digit8": "bullets", "Digit9": "quote", "KeyK": "link" };

export class TextField {
  constructor(area) {
    this.area = area;
    area.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get value() {
    return this.area.value;
  }

  get selection() {
    const { selectionStart: start, selectionEnd: end } = this.area;
    return { start, end, words: this.value.slice(start, end) };
  }

  /** Makes one change as if it had been typed, so that Undo knows it. */
  replace({ from, to, insert, start, end }) {
    const before = document.activeElement;
    const scroll = this.area.scrollTop;
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(from, to);
    // The only way to change a field and keep its Undo; where a browser has dropped it the change is made without.
    const typed = insert ? document.execCommand("insertText", false, insert) : from === to || document.execCommand("delete");
    if (!typed) {
      this.area.setRangeText(insert, from, to, "end");
      this.area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (start !== undefined) this.area.setSelectionRange(start, end);
    this.area.scrollTop = scroll;
    if (before && before !== this.area && before !== document.body) before.focus({ preventScroll: true });
  }

  /** Shows another text, changing only what differs; the caret stays at its words. */
  adopt(text) {
    const { from, to, insert } = difference(this.value, text);
    if (from === to && !insert) return;
    const { selectionStart, selectionEnd } = this.area;
    const shift = insert.length - (to - from);
    const moved = (place) => (place <= from ? place : place >= to ? place + shift : from + insert.length);
    this.replace({ from, to, insert, start: moved(selectionStart), end: moved(selectionEnd) });
  }

  mark(kind) {
    const { start, end } = this.selection;
    this.replace(marked(kind, this.value, start, end, words));
    this.area.focus();
  }

  select(start, end) {
    this.area.focus();
    this.area.setSelectionRange(start, end);
    // A textarea scrolls to its selection only when something is typed: so by lines.
    const lines = this.value.slice(0, start).split("\n").length - 1;
    const height = Number.parseFloat(getComputedStyle(this.area).lineHeight) || 24;
    this.area.scrollTop = Math.max(0, (lines - 4) * height);
  }

  #onKey(event) {
    if (event.isComposing) return;
    const command = event.ctrlKey || event.metaKey;
    let kind = null;
    if (command && event.altKey && event.code === "Digit2") kind = "heading";
    else if (command && event.shiftKey) kind = SHIFTED[event.code];
    else if (command && !event.altKey) kind = KEYS[event.key.toLowerCase()];
    if (kind) {
      event.preventDefault();
      event.stopPropagation();
      this.mark(kind);
    } else if (event.key === "Enter" && !command && !event.shiftKey && this.selection.start === this.selection.end) {
      const change = continued(this.value, this.selection.start);
      if (!change) return;
      event.preventDefault();
      this.replace(change);
    }
  }
}
