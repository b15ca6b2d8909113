// What the toolbar does to Markdown. Pure: a text and a selection go in, one replacement comes out.

/** @typedef {{from: number, to: number, insert: string, start: number, end: number}} Change `start`, `end`: selected then. */

const TABLE = (cell) => `| ${cell} 1 | ${cell} 2 |\n| --- | --- |\n|  |  |\n`;

/** Puts marks around the selection, or takes them away where they stand already. */
function wrap(text, start, end, mark, sample) {
  const inner = text.slice(start, end);
  if (text.slice(start - mark.length, start) === mark && text.slice(end, end + mark.length) === mark) {
    return replace(start - mark.length, end + mark.length, inner, start - mark.length, end - mark.length);
  }
  if (inner.length > 2 * mark.length && inner.startsWith(mark) && inner.endsWith(mark)) {
    const bare = inner.slice(mark.length, -mark.length);
    return replace(start, end, bare, start, start + bare.length);
  }
  const words = inner || sample;
  const from = start + mark.length;
  return replace(start, end, mark + words + mark, from, from + words.length);
}

function replace(from, to, insert, start, end) {
  return { from, to, insert, start, end };
}

/** The whole lines that the selection touches. */
function linesAt(text, start, end) {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const next = text.indexOf("\n", Math.max(from, end > start && text[end - 1] === "\n" ? end - 1 : end));
  return { from, to: next < 0 ? text.length : next };
}

/** Gives every line its prefix, or takes it away where all have it. */
function prefix(text, start, end, pattern, make) {
  const { from, to } = linesAt(text, start, end);
  const lines = text.slice(from, to).split("\n");
  const all = lines.every((line) => pattern.test(line) || (!line.trim() && lines.length > 1));
  let number = 0;
  const made = lines
    .map((line) => {
      const bare = line.replace(pattern, "$1");
      if (all || (!line.trim() && lines.length > 1)) return bare;
      number += 1;
      return bare.replace(/^(\s*)/, `$1${make(number)}`);
    })
    .join("\n");
  if (lines.length > 1) return replace(from, to, made, from, from + made.length);
  const caret = Math.max(from, end + made.length - (to - from));
  return replace(from, to, made, caret, caret);
}

function heading(text, start, end, sample) {
  const { from, to } = linesAt(text, start, end);
  const [, marks, words] = /^(#{0,6}) ?(.*)$/s.exec(text.slice(from, to).split("\n")[0]);
  const level = marks.length >= 3 ? 0 : marks.length + 1;
  const made = (level ? `${"#".repeat(level)} ` : "") + (words || sample);
  return replace(from, from + text.slice(from, to).split("\n")[0].length, made, from + made.length - (words || sample).length, from + made.length);
}

function link(text, start, end, words) {
  const label = text.slice(start, end) || words.linkText;
  const address = /^https?:\/\/\S+$/.test(label) ? label : "https://";
  const insert = `[${label}](${address})`;
  const at = start + label.length + 3;
  return replace(start, end, insert, at, at + address.length);
}

function code(text, start, end) {
  if (!text.slice(start, end).includes("\n")) return wrap(text, start, end, "`", "code");
  const { from, to } = linesAt(text, start, end);
  const insert = `\`\`\`\n${text.slice(from, to)}\n\`\`\``;
  return replace(from, to, insert, from + 4, from + 4 + to - from);
}

function table(text, start, end, words) {
  const { to } = linesAt(text, end, end);
  const lead = text.slice(0, to).endsWith("\n\n") || !to ? "" : to && text[to - 1] === "\n" ? "\n" : "\n\n";
  const insert = lead + TABLE(words.cellText);
  const at = to + lead.length + 2;
  return replace(to, to, insert, at, at + words.cellText.length + 2);
}

/** The change that a button of the toolbar makes. @returns {Change} */
export function marked(kind, text, start, end, words) {
  switch (kind) {
    case "heading":
      return heading(text, start, end, words.headingText);
    case "bold":
      return wrap(text, start, end, "**", words.boldText);
    case "italic":
      return wrap(text, start, end, "*", words.italicText);
    case "bullets":
      return prefix(text, start, end, /^(\s*)[-*+] /, () => "- ");
    case "numbers":
      return prefix(text, start, end, /^(\s*)\d+[.)] /, (number) => `${number}. `);
    case "quote":
      return prefix(text, start, end, /^(\s*)> ?/, () => "> ");
    case "link":
      return link(text, start, end, words);
    case "code":
      return code(text, start, end);
    default:
      return table(text, start, end, words);
  }
}

/** What Enter does inside a list: the next item, or the end of the list where the item is empty. */
export function continued(text, caret) {
  const from = text.lastIndexOf("\n", caret - 1) + 1;
  const found = /^(\s*)([-*+]|(\d+)([.)])|>) (\[[ x]\] )?/.exec(text.slice(from, caret));
  if (!found) return null;
  if (caret === from + found[0].length) return replace(from, caret, "", from, from);
  const [, indent, mark, number, point, box] = found;
  const insert = `\n${indent}${number ? `${Number(number) + 1}${point}` : mark} ${box ? "[ ] " : ""}`;
  return replace(caret, caret, insert, caret + insert.length, caret + insert.length);
}

/** The one stretch in which two texts differ: [from, to) of the old text becomes `insert`. */
export function difference(old, now) {
  let from = 0;
  const most = Math.min(old.length, now.length);
  while (from < most && old[from] === now[from]) from += 1;
  let tail = 0;
  while (tail < most - from && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
  // Never between the halves of one character.
  const high = (unit) => unit >= 0xd800 && unit < 0xdc00;
  if (from && high(old.charCodeAt(from - 1))) from -= 1;
  if (tail && tail < old.length && high(old.charCodeAt(old.length - tail - 1))) tail -= 1;
  return { from, to: old.length - tail, insert: now.slice(from, now.length - tail) };
}

/** The server counts characters, scripts count UTF-16 units. */
export function toCharacters(text, unit) {
  let count = 0;
  for (const _character of text.slice(0, unit)) count += 1;
  return count;
}

export function toUnits(text, character) {
  let unit = 0;
  let count = 0;
  for (const each of text) {
    if (count === character) break;
    unit += each.length;
    count += 1;
  }
  return unit;
}
