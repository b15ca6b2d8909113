// axe's violations, each as its rule, how many elements, and the first of them with what is wrong with it.
(options) =>
  axe.run(document, options).then(({ violations }) =>
    violations.map(({ id, nodes }) => {
      const [first] = nodes;
      const reasons = [...first.any, ...first.all, ...first.none].map(({ message }) => message).join(" ");
      return `${id} (${nodes.length}): ${first.html.slice(0, 160)} ${reasons.slice(0, 220)}`;
    }),
  );
