// One generation's stream, resumed until it is done. WebSocket first; where that is blocked, server-sent events.
// Frames are those of docs/api: status, delta, reset, done. Every delta is handed on once, whatever reconnects.

const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 15000;
const SILENCE_MS = 45000;
const SOCKET_TRIES = 3;
// A connection that lived this long was a good one, even if nothing but its status came through.
const GOOD_MS = 10000;

/** Negative, zero or positive as entry id a ("attempt-seq") comes before, is, or comes after b. */
export function compareIds(a, b) {
  const [attemptA, seqA] = a.split("-").map(Number);
  const [attemptB, seqB] = b.split("-").map(Number);
  return attemptA - attemptB || seqA - seqB;
}

/** Splits a text/event-stream into {id, event, data}; feed() may be given any cut of it. */
export class EventParser {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.rest = "";
  }

  feed(chunk) {
    const blocks = (this.rest + chunk).replace(/\r\n?/g, "\n").split("\n\n");
    this.rest = blocks.pop();
    for (const block of blocks) this.#read(block);
  }

  #read(block) {
    const event = { id: null, event: "message", data: [] };
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "data") event.data.push(value);
      else if (field === "id" || field === "event") event[field] = value;
    }
    if (event.data.length) this.onEvent({ ...event, data: event.data.join("\n") });
  }
}

/** The same frame that the WebSocket would have sent. */
export function frameOf({ id, event, data }) {
  const body = JSON.parse(data);
  if (event === "done") return { type: "done", id, generation: body };
  return { type: event, ...(id ? { id } : {}), ...body };
}

export class GenerationStream {
  /**
   * `urls` has socket, events. `handlers` has onStatus, onText(text, id), onReset, onDone(generation),
   * onConnection("live" | "waiting" | "lost").
   */
  constructor(urls, handlers) {
    this.urls = urls;
    this.handlers = handlers;
    this.lastId = null;
    this.failures = 0;
    this.closed = false;
  }

  start() {
    this.#connect();
    window.addEventListener("online", this.wake);
    return this;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    window.removeEventListener("online", this.wake);
    this.drop?.();
  }

  /** Tries at once: the network is said to be back. */
  wake = () => {
    if (this.closed || !this.timer) return;
    clearTimeout(this.timer);
    this.#connect();
  };

  #connect() {
    this.timer = null;
    this.connectedAt = performance.now();
    if (this.urls.socket && this.failures < SOCKET_TRIES) this.#openSocket();
    else this.#openEvents();
  }

  #openSocket() {
    const url = new URL(this.urls.socket, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.lastId) url.searchParams.set("after", this.lastId);
    const socket = new WebSocket(url);
    this.drop = () => socket.close();
    socket.onopen = () => this.handlers.onConnection("live");
    socket.onmessage = (message) => this.#take(JSON.parse(message.data));
    // 4000 plus the HTTP status: not signed in, not there, or not ours. Asking again cannot help. 4410 says that this
    // session may not go on; a confirmed password gives the browser a new one, so whether it may is asked once more.
    socket.onclose = (event) => (event.code >= 4400 && event.code < 4410 ? this.#lose() : this.#retry());
    this.#watchSilence();
  }

  async #openEvents() {
    const stop = new AbortController();
    this.drop = () => stop.abort();
    this.#watchSilence();
    try {
      const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
      const response = await fetch(this.urls.events, { headers, signal: stop.signal, credentials: "same-origin" });
      if (response.status >= 400 && response.status < 429) return this.#lose();
      if (!response.ok) throw new Error(String(response.status));
      this.handlers.onConnection("live");
      await this.#readEvents(response.body);
    } catch {
      // A broken connection and an aborted one end alike: the position is known, so try again.
    }
    this.#retry();
  }

  async #readEvents(body) {
    const parser = new EventParser((event) => this.#take(frameOf(event)));
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      this.#watchSilence();
      parser.feed(part.value);
    }
  }

  #take(frame) {
    if (this.closed) return;
    this.#watchSilence();
    if (frame.type === "status") this.handlers.onStatus(frame);
    else if (frame.type === "done") {
      this.close();
      this.handlers.onDone(frame.generation);
    } else if (frame.id && !this.#isOld(frame.id)) {
      this.lastId = frame.id;
      this.failures = 0;
      if (frame.type === "delta") this.handlers.onText(frame.text, frame.id);
      else if (frame.type === "reset") this.handlers.onReset();
    }
  }

  #isOld(id) {
    return this.lastId !== null && compareIds(id, this.lastId) <= 0;
  }

  /** A connection that is open but dead: nothing, not even a heartbeat, for a long time. */
  #watchSilence() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.drop?.(), SILENCE_MS);
  }

  #retry() {
    clearTimeout(this.silence);
    if (this.closed || this.timer) return;
    if (performance.now() - this.connectedAt > GOOD_MS) this.failures = 0;
    this.failures += 1;
    this.handlers.onConnection("waiting");
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.failures - 1));
    this.timer = setTimeout(() => this.#connect(), ceiling * (0.5 + Math.random() / 2));
  }

  #lose() {
    this.close();
    this.handlers.onConnection("lost");
  }
}
