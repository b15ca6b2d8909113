// The visible words of the interface: not data, not code, not what says that it is in another language.
() => {
  const texts = new Set();
  const skip = "script, style, code, pre, kbd, samp, textarea, option, time, .mono, [lang]:not(html), [translate=no]";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim().replace(/\s+/g, " ");
    if (/[A-Za-z]{2}/.test(text) && !walk.currentNode.parentElement.closest(skip)) texts.add(text);
  }
  for (const name of ["aria-label", "placeholder", "title"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) texts.add(element.getAttribute(name).trim());
  }
  return [...texts];
};
