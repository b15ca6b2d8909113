// Suggested replies beside the composer: written as one watches, put into the answer only by hand, never sent by themselves.
import { csrfToken } from "./dom.js";
import { GenerationStream } from "./stream.js";

const SUMMARY_MS = 2000;

/** Sends a form's fields and reads JSON; a refusal's words come back as `problem`. */
async function post(url, fields) {
  const body = new URLSearchParams({ csrfmiddlewaretoken: csrfToken(), ...fields });
  const headers = { accept: "application/json" };
  const answer = await fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
  return { ok: answer.ok, ...(await answer.json()) };
}

export function setUpDraft(composer, place) {
  const text = place.querySelector("[data-draft-text]");
  const status = place.querySelector("[data-draft-status]");
  const sources = place.querySelector("[data-draft-sources]");
  const [insert, stop, close] = ["insert", "stop", "close"].map((name) => place.querySelector(`[data-draft-${name}]`));
  const asking = composer.querySelector("[data-draft-ask]");
  let stream = null;
  let id = "";

  const show = (writing) => {
    place.hidden = false;
    stop.hidden = !writing;
    insert.disabled = writing;
    asking.disabled = writing;
    place.setAttribute("aria-busy", String(writing));
  };
  const fail = (problem) => {
    show(false);
    insert.disabled = true;
    status.textContent = problem || place.dataset.lost;
  };
  const done = (draft) => {
    stream = null;
    if (draft.state === "stopped") {
      show(false);
      place.hidden = true;
      return;
    }
    if (draft.state !== "done") {
      fail("");
      return;
    }
    text.textContent = draft.text;
    sources.replaceChildren(
      ...draft.sources.map((each) => {
        const item = document.createElement("li");
        item.textContent = `${each.title} (${each.version})`;
        return item;
      }),
    );
    status.textContent = place.dataset.ready;
    show(false);
  };

  asking.addEventListener("click", async (event) => {
    event.preventDefault();
    stream?.close();
    text.textContent = "";
    sources.replaceChildren();
    status.textContent = place.dataset.writing;
    show(true);
    let made;
    try {
      made = await post(place.dataset.draftUrl, { kind: "reply" });
    } catch {
      return fail("");
    }
    if (!made.ok) return fail(made.problem);
    id = made.id;
    stream = new GenerationStream(
      { events: `${place.dataset.streamUrl}${id}/stream` },
      {
        onStatus: () => {},
        onText: (piece) => text.append(piece),
        onReset: () => (text.textContent = ""),
        onDone: done,
        onConnection: (state) => state === "lost" && fail(""),
      },
    ).start();
  });
  insert.addEventListener("click", () => {
    const field = composer.querySelector("[data-text]");
    field.value = [field.value.trimEnd(), text.textContent].filter(Boolean).join("\n\n");
    place.hidden = true;
    field.focus();
  });
  stop.addEventListener("click", () => post(place.dataset.stopUrl, { draft: id }).catch(() => {}));
  close.addEventListener("click", () => {
    if (stream) {
      stream.close();
      stream = null;
      post(place.dataset.stopUrl, { draft: id }).catch(() => {});
      show(false);
    }
    place.hidden = true;
  });
}

/** A summary that is being written is looked for until it is there. */
export function lookAgain(root, refresh) {
  const timer = setInterval(() => {
    if (root.querySelector("[data-summary-writing]")) refresh();
    else clearInterval(timer);
  }, SUMMARY_MS);
}
