// The right-hand panel: what one generation looks like while it waits, writes and ends.
import { format, texts } from "./dom.js";
import { SpeedMeter, finalRate, secondsBetween } from "./meter.js";
import { GenerationStream } from "./stream.js";

const TICK_MS = 250;
const FINISHED = new Set(["succeeded", "failed", "cancelled"]);
const language = document.documentElement.lang || "en";
const whole = new Intl.NumberFormat(language);
const one = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export class OutputPanel {
  constructor(panel) {
    this.panel = panel;
    this.part = (name) => panel.querySelector(`[data-part="${name}"]`);
    this.text = this.part("text");
    this.meter = new SpeedMeter();
  }

  get state() {
    return this.panel.dataset.state;
  }

  get isBusy() {
    return this.state === "queued" || this.state === "running";
  }

  /** Follows the generation that the page was rendered for. */
  follow() {
    if (!this.isBusy) return;
    this.count = 0;
    this.startedAt = performance.now() - Number(this.panel.dataset.age || 0) * 1000;
    this.ticker = setInterval(() => this.#tick(), TICK_MS);
    this.stream = new GenerationStream(
      { socket: this.panel.dataset.socket, events: this.panel.dataset.events },
      {
        onStatus: (frame) => this.#showStatus(frame.status, frame.queue_position),
        onText: (text) => this.#append(text),
        onReset: () => this.#reset(),
        onDone: (generation) => this.#finish(generation),
        onConnection: (state) => this.#showConnection(state),
      },
    ).start();
  }

  stopFollowing() {
    clearInterval(this.ticker);
    this.stream?.close();
  }

  #showStatus(status, place) {
    if (FINISHED.has(status)) return;
    this.panel.dataset.state = status;
    this.#badge(status);
    const waiting = this.part("wait");
    waiting.hidden = this.count > 0;
    this.part("wait-text").textContent =
      status === "queued" ? format(place ? texts.place : texts.waiting, { place }) : texts.starting;
  }

  #badge(status) {
    const badge = this.part("status");
    badge.className = `badge badge-${status}`;
    badge.textContent = texts.status[status];
  }

  #append(text) {
    if (this.state !== "running") this.#showStatus("running", null);
    this.count += 1;
    this.meter.note();
    // Text nodes only: what a model writes is never markup.
    this.text.append(text);
    this.part("wait").hidden = true;
  }

  #reset() {
    this.text.replaceChildren();
    this.count = 0;
    this.meter.restart();
  }

  #tick() {
    this.part("elapsed").textContent = this.#seconds((performance.now() - this.startedAt) / 1000);
    if (this.count) this.part("tokens").textContent = whole.format(this.count);
    const rate = this.meter.rate();
    if (rate) this.part("speed").textContent = format(texts.perSecond, { rate: one.format(rate) });
  }

  #seconds(value) {
    return format(texts.seconds, { seconds: one.format(value) });
  }

  #showConnection(state) {
    if (state === "live") this.meter.restart();
    this.part("connection").hidden = state === "live";
    this.part("connection-text").textContent = state === "lost" ? texts.lost : texts.reconnecting;
    if (state === "lost") this.stopFollowing();
  }

  #finish(generation) {
    this.stopFollowing();
    this.panel.dataset.state = generation.status;
    this.panel.setAttribute("aria-busy", "false");
    this.#badge(generation.status);
    this.part("wait").hidden = true;
    this.part("connection").hidden = true;
    this.#settleText(generation.text ?? "");
    this.#showFinalNumbers(generation);
    this.#showEnd(generation);
    for (const button of this.panel.querySelectorAll("[data-when]")) {
      button.hidden = button.dataset.when !== "finished";
    }
    this.part("announcement").textContent = format(texts.finished[generation.status], {
      tokens: generation.usage?.completion_tokens ?? 0,
    });
    document.title = document.title.replace(/^● /, "");
    this.panel.dispatchEvent(new CustomEvent("millrace:finished", { bubbles: true, detail: generation }));
  }

  /** The row is the truth: where the stream and it differ, the row's text is shown. */
  #settleText(text) {
    if (this.text.textContent !== text) this.text.replaceChildren(text);
  }

  #showFinalNumbers(generation) {
    const usage = generation.usage;
    if (usage) {
      this.part("tokens").textContent = whole.format(usage.completion_tokens);
      this.part("prompt-tokens").textContent = whole.format(usage.prompt_tokens);
    }
    const rate = finalRate(generation);
    if (rate) this.part("speed").textContent = format(texts.perSecond, { rate: one.format(rate) });
    const seconds = secondsBetween(generation.created_at, generation.finished_at);
    if (seconds) this.part("elapsed").textContent = this.#seconds(seconds);
  }

  #showEnd(generation) {
    const note = this.part("note");
    const unstarted = generation.finish_reason === "cancelled" && !generation.usage?.completion_tokens;
    const words = generation.error
      ? texts.errors[generation.error.code] || generation.error.message || texts.finished.failed
      : texts.reasons[unstarted ? "unstarted" : generation.finish_reason];
    note.hidden = !words;
    note.classList.toggle("notice-error", generation.status === "failed");
    this.part("note-text").textContent = words ?? "";
  }
}
