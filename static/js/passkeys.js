// Passkeys: a form marked with data-passkey asks the browser for a credential and sends it.
import { readJson } from "./dom.js";
import { toast } from "./toasts.js";

function toBytes(text) {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function toText(buffer) {
  if (!buffer) return null;
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const withBytes = (descriptors) => (descriptors ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));

async function create(form) {
  const options = readJson(form.dataset.options).creation_options.publicKey;
  // A passkey has to be found without the person's name, and asks for finger or PIN.
  const alone = form.elements.passwordless?.checked ?? false;
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
      authenticatorSelection: {
        ...options.authenticatorSelection,
        residentKey: alone ? "required" : "discouraged",
        requireResidentKey: alone,
        userVerification: alone ? "required" : (options.authenticatorSelection?.userVerification ?? "preferred"),
      },
    },
  });
  return {
    ...common(credential),
    response: {
      clientDataJSON: toText(credential.response.clientDataJSON),
      attestationObject: toText(credential.response.attestationObject),
      transports: credential.response.getTransports?.() ?? [],
    },
  };
}

async function get(form) {
  const { request_options: options } = form.dataset.options ? readJson(form.dataset.options) : await fetchOptions(form);
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options.publicKey,
      challenge: toBytes(options.publicKey.challenge),
      allowCredentials: withBytes(options.publicKey.allowCredentials),
    },
  });
  return {
    ...common(credential),
    response: {
      clientDataJSON: toText(credential.response.clientDataJSON),
      authenticatorData: toText(credential.response.authenticatorData),
      signature: toText(credential.response.signature),
      userHandle: toText(credential.response.userHandle),
    },
  };
}

async function fetchOptions(form) {
  const response = await fetch(form.action, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`options refused: ${response.status}`);
  return response.json();
}

function common(credential) {
  return {
    type: credential.type,
    id: credential.id,
    rawId: toText(credential.rawId),
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function setUp(form) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const credential = await (form.dataset.passkey === "create" ? create(form) : get(form));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      button.disabled = false;
      toast(form.dataset.failed, { kind: "error" });
    }
  });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (window.PublicKeyCredential) setUp(form);
  else form.querySelector("button[type=submit]").disabled = true;
}
