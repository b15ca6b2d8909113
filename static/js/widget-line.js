// A socket that comes back after any gap, says who is there with its first frame, and begins behind what was had.
const FIRST_MS = 500;
const LONGEST_MS = 20000;
const TYPING_MS = 3000;

export class Line {
  constructor(path, { after, hello, onFrame, onState, onRefused }) {
    Object.assign(this, { path, after, hello, onFrame, onState, onRefused });
    this.failures = 0;
    this.ended = false;
    this.said = 0;
    this.#open();
  }

  #open() {
    const url = new URL(`${this.path}?after=${this.after()}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      this.failures = 0;
      this.onState(true);
      socket.send(JSON.stringify(this.hello()));
    };
    socket.onmessage = (message) => this.onFrame(JSON.parse(message.data));
    socket.onclose = (event) => {
      if (this.ended) return;
      if (event.code === 4401) {
        this.onRefused();
        return;
      }
      this.failures += 1;
      this.onState(false);
      const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures) * (0.5 + Math.random() / 2);
      this.timer = setTimeout(() => this.#open(), wait);
    };
  }

  say(message) {
    if (Date.now() - this.said < TYPING_MS || this.socket.readyState !== WebSocket.OPEN) return;
    this.said = Date.now();
    this.socket.send(JSON.stringify(message));
  }

  /** What was being typed is sent, or gone. */
  quiet() {
    if (!this.said || this.socket.readyState !== WebSocket.OPEN) return;
    this.said = 0;
    this.socket.send(JSON.stringify({ typing: false }));
  }

  close() {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}

/** Hears what is answered in a conversation behind the number that is known of it, without showing it. */
export class Watch extends Line {
  constructor(path, known, { hello, onAnswers, onMoved, onRefused }) {
    const heard = { last: known };
    super(path, {
      after: () => heard.last,
      hello,
      onFrame: (frame) => {
        if (frame.type === "moved") onMoved();
        if (frame.type !== "messages") return;
        const answers = frame.data.filter((each) => each.sequence > heard.last && each.kind === "outgoing");
        heard.last = Math.max(heard.last, frame.has_more ? frame.data.at(-1).sequence : frame.last);
        if (answers.length) onAnswers(answers);
      },
      onState: () => {},
      onRefused,
    });
  }
}
