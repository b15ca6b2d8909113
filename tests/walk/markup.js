// What Lighthouse's categories SEO, best practices and accessibility look for in a page's markup, beyond axe.
() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const each = (selector, words) => {
    for (const element of all(selector)) wrong.push(`${words}: ${element.outerHTML.slice(0, 100)}`);
  };
  const viewport = document.querySelector("meta[name=viewport]")?.content ?? "";
  if (document.doctype?.name !== "html") wrong.push("no doctype");
  if (document.characterSet !== "UTF-8" || !document.querySelector("meta[charset]")) wrong.push("no charset");
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.title.trim().length < 3) wrong.push("no title");
  if (!/width=device-width/.test(viewport) || /user-scalable=no|maximum-scale/.test(viewport)) wrong.push("viewport");
  if (!document.querySelector("meta[name=description]")?.content) wrong.push("no description");
  if (all("main h1").filter((element) => element.checkVisibility()).length !== 1) wrong.push("needs one h1");
  each('a:not([href]), a[href=""]:not(noscript a), a[href^="javascript:"]', "not crawlable");
  each("a[target=_blank]:not([rel~=noopener])", "no noopener");
  each("img:not([width][height])", "no size");
  each('[src^="http:"], link[href^="http:"]', "mixed content");
  const ids = all("[id]").map((element) => element.id);
  for (const id of new Set(ids.filter((one, place) => ids.indexOf(one) !== place))) wrong.push(`id twice: ${id}`);
  let level = 6;
  for (const heading of all("main :is(h1, h2, h3, h4)").filter((element) => element.checkVisibility())) {
    if (heading.tagName[1] - level > 1) wrong.push(`skips a level: ${heading.outerHTML.slice(0, 100)}`);
    level = Number(heading.tagName[1]);
  }
  return wrong;
};
