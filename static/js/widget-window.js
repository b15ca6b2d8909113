// The chat window as such: its colour, and one of its own that goes on with what a frame had.

/** A window of its own asks the frame that it came from who is there. Both are of this origin, and nobody else is told:
    storage of frames is apart from that of windows, and a secret belongs in no address. */
export function askFrame(token, { known, taken }) {
  const told = (type, more = {}) => ({ desk: 1, type, token, ...more });
  window.addEventListener("message", (event) => {
    if (event.origin !== location.origin || event.data?.desk !== 1 || event.data.token !== token) return;
    const mine = known();
    if (event.data.type === "who" && mine) event.source.postMessage(told("who-is", mine), location.origin);
    else if (event.data.type === "who-is" && window.opener) taken(event.data);
  });
  if (!window.opener || window.parent !== window) return;
  for (let place = 0; place < window.opener.length; place += 1) {
    window.opener[place].postMessage(told("who"), location.origin);
  }
}

/** Black or white, whichever can be read on the colour (WCAG 2.2, relative luminance). */
function readableOn(value) {
  const [r, g, b] = [1, 3, 5].map((place) => {
    const share = parseInt(value.slice(place, place + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "black" : "white";
}

export function colour(value) {
  document.documentElement.style.setProperty("--widget-accent", value);
  document.documentElement.style.setProperty("--widget-on-accent", readableOn(value));
}
