// Tokens a second and seconds so far, measured where the reader sits.

const WINDOW_MS = 3000;
// What arrives in the first moment after connecting is a replay and says nothing about speed.
const REPLAY_MS = 350;

export class SpeedMeter {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.restart();
  }

  /** Call on every (re)connection. */
  restart() {
    this.connectedAt = this.now();
    this.arrivals = [];
  }

  /** One streamed entry: one token, or a few when characters were held back. */
  note() {
    const now = this.now();
    if (now - this.connectedAt < REPLAY_MS) return;
    this.arrivals.push(now);
    while (this.arrivals[0] < now - WINDOW_MS) this.arrivals.shift();
  }

  /** Tokens per second over the last three seconds, or null while there is too little to say. */
  rate() {
    if (this.arrivals.length < 4) return null;
    const span = (this.arrivals.at(-1) - this.arrivals[0]) / 1000;
    return span > 0.15 ? (this.arrivals.length - 1) / span : null;
  }
}

/** The exact rate of a finished generation, from the server's own counts and times. */
export function finalRate(generation) {
  const tokens = generation.usage?.completion_tokens;
  const seconds = secondsBetween(generation.started_at, generation.finished_at);
  return tokens && seconds > 0 ? tokens / seconds : null;
}

export function secondsBetween(from, to) {
  return from && to ? (Date.parse(to) - Date.parse(from)) / 1000 : 0;
}
