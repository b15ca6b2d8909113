// Which of many labels are meant by a few typed letters, the best first.

/** “email” means “E-mail” as well. */
function joined(text) {
  return text.replaceAll("-", "");
}

/** 0 when it does not match; more is better: the whole, its beginning, a word's beginning, inside, letters in order. */
function score(label, query) {
  if (label === query) return 6;
  if (label.startsWith(query)) return 5;
  const words = query.split(/\s+/);
  if (words.every((word) => label.split(/[\s\-/:]+/).some((part) => part.startsWith(word)))) return 4;
  if (words.every((word) => label.includes(word))) return 3;
  return inOrder(label, query.replaceAll(" ", "")) ? 1 : 0;
}

function inOrder(label, letters) {
  let from = 0;
  for (const letter of letters) {
    from = label.indexOf(letter, from) + 1;
    if (!from) return false;
  }
  return letters.length > 1;
}

function pointsOf(label, query) {
  return Math.max(score(label, query), score(joined(label), joined(query)));
}

export function rank(items, query, labelOf) {
  const wanted = query.toLowerCase();
  return items
    .map((item, place) => ({ item, place, points: pointsOf(labelOf(item).toLowerCase(), wanted) }))
    .filter(({ points }) => points > 0)
    .sort((one, other) => other.points - one.points || one.place - other.place)
    .map(({ item }) => item);
}
