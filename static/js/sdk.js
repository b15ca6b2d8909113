// Puts the chat window of an inbox on a page: chatwootSDK.run({ websiteToken, baseUrl }), with Chatwoot's names.
(() => {
  if (window.chatwootSDK) return;

  const options = () => window.chatwootSettings || {};
  const tell = (name, detail) => window.dispatchEvent(new CustomEvent(`chatwoot:${name}`, { detail }));
  let frame = null;
  let bubble = null;
  let origin = "";
  let open = false;
  let ready = false;
  const waiting = [];

  function send(message) {
    if (ready) frame.contentWindow.postMessage({ desk: 1, ...message }, origin);
    else waiting.push(message);
  }

  function style(element, values) {
    // Through the object model, which a site's policy for styles allows.
    for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
  }

  function place() {
    const narrow = window.innerWidth < 480;
    const side = options().position === "left" ? "left" : "right";
    style(frame, {
      display: open ? "block" : "none",
      position: "fixed",
      border: "0",
      "z-index": "2147483000",
      bottom: narrow ? "0" : "88px",
      [side]: narrow ? "0" : "20px",
      width: narrow ? "100%" : "380px",
      height: narrow ? "100%" : "min(640px, calc(100vh - 108px))",
      "border-radius": narrow ? "0" : "12px",
      "box-shadow": "0 8px 32px rgb(0 0 0 / 20%)",
      "color-scheme": "normal",
    });
    style(bubble, {
      display: options().hideMessageBubble || (open && narrow) ? "none" : "block",
      position: "fixed",
      bottom: "20px",
      [side]: "20px",
      width: "56px",
      height: "56px",
      "z-index": "2147483000",
      border: "0",
      "border-radius": "50%",
      cursor: "pointer",
      color: "#fff",
      "font-size": "24px",
    });
    bubble.setAttribute("aria-expanded", String(open));
  }

  function toggle(state) {
    open = state === "open" ? true : state === "close" ? false : !open;
    place();
    // Without what stands behind the path: it may be about the visitor.
    send({ type: open ? "opened" : "closed", page: location.origin + location.pathname });
    tell(open ? "opened" : "closed");
    if (open) frame.focus();
    else bubble.focus();
  }

  function take(event) {
    if (event.origin !== origin || event.source !== frame.contentWindow || event.data?.desk !== 1) return;
    const { type } = event.data;
    if (type === "ready") {
      ready = true;
      style(bubble, { background: event.data.colour });
      bubble.setAttribute("aria-label", event.data.label);
      for (const message of waiting.splice(0)) send(message);
      tell("ready");
    } else if (type === "close") toggle("close");
    else if (type === "message") tell("on-message", event.data.message);
    else if (type === "unread") bubble.textContent = event.data.count && !open ? String(event.data.count) : "💬";
    else if (type === "error") tell("error", event.data.error);
  }

  function run({ websiteToken, baseUrl }) {
    if (frame) return;
    const base = baseUrl || document.currentScript?.src || location.href;
    origin = new URL(base).origin;
    const address = new URL(`/widget/${encodeURIComponent(websiteToken)}/`, origin);
    if (options().locale) address.searchParams.set("locale", options().locale);
    frame = document.createElement("iframe");
    frame.id = "chatwoot_live_chat_widget";
    frame.title = options().launcherTitle || "Chat";
    frame.src = address.href;
    bubble = document.createElement("button");
    bubble.type = "button";
    bubble.textContent = "💬";
    bubble.setAttribute("aria-label", options().launcherTitle || "Chat");
    bubble.addEventListener("click", () => toggle());
    window.addEventListener("message", take);
    window.addEventListener("resize", place);
    place();
    document.body.append(bubble, frame);
  }

  window.$chatwoot = {
    get hasLoaded() {
      return ready;
    },
    get isOpen() {
      return open;
    },
    toggle,
    toggleBubbleVisibility(state) {
      window.chatwootSettings = { ...options(), hideMessageBubble: state === "hide" };
      place();
    },
    setUser: (identifier, user = {}) => send({ type: "user", identifier: String(identifier), user }),
    setCustomAttributes: (attributes) => send({ type: "attributes", attributes }),
    deleteCustomAttribute: (name) => send({ type: "attributes", attributes: { [name]: null } }),
    setConversationCustomAttributes: (attributes) => send({ type: "conversation-attributes", attributes }),
    deleteConversationCustomAttribute: (name) => send({ type: "conversation-attribute-gone", name }),
    setLabel: (label) => send({ type: "label", label: String(label), wanted: true }),
    removeLabel: (label) => send({ type: "label", label: String(label), wanted: false }),
    popoutChatWindow() {
      if (!frame) return;
      // It asks the frame who is there; nothing that opens a conversation stands in its address.
      window.open(frame.src, `desk_${origin}`, "popup,width=400,height=600");
      if (open) toggle("close");
    },
    setLocale(locale) {
      window.chatwootSettings = { ...options(), locale };
      if (!frame) return;
      const address = new URL(frame.src);
      address.searchParams.set("locale", locale);
      ready = false;
      frame.src = address.href;
    },
    reset: () => send({ type: "reset" }),
  };
  window.chatwootSDK = { run };
})();
