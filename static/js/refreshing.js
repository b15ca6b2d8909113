// Shows how far work has got: the marked part of the page is read again for as long as something is under way.

const PAUSE_MS = 2000;

async function refresh() {
  const shown = document.querySelector("[data-refreshed][data-unfinished]");
  if (!shown) return;
  // Not under somebody's hands, and not where nobody looks.
  if (!document.hidden && !shown.contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("[data-refreshed]");
        if (fresh) shown.replaceWith(document.adoptNode(fresh));
      }
    } catch {
      // A server that is away for a moment is asked again.
    }
  }
  setTimeout(refresh, PAUSE_MS);
}

setTimeout(refresh, PAUSE_MS);
