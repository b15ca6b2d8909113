// Files in the chat window: chosen, looked at, taken out again and sent, and those that have come with messages.
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

export const format = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const sized = (bytes) =>
  bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1_000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** What waits to be sent with the next message. */
export class Picked {
  constructor({ form, input, button, list, limits, texts, tell }) {
    Object.assign(this, { form, input, button, list, limits, texts, tell });
    this.files = [];
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add(input.files);
      // The same file may be chosen again after it was taken out.
      input.value = "";
    });
    form.addEventListener("paste", (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer?.files.length && !form.closest("[hidden]")) this.add(event.dataTransfer.files);
    });
  }

  /** Why a file cannot be sent, or nothing; the server looks again, and closer. */
  #problem(file) {
    const name = file.name;
    const ending = name.includes(".") ? name.slice(name.lastIndexOf(".")).toLowerCase() : "";
    if (!this.limits.endings.includes(ending)) return format(this.texts.fileKind, { name });
    if (!file.size) return format(this.texts.fileEmpty, { name });
    if (file.size > this.limits.bytes) return format(this.texts.fileLarge, { name, most: sized(this.limits.bytes) });
    if (this.files.length >= this.limits.most) return format(this.texts.fileMany, { most: this.limits.most });
    return "";
  }

  add(files) {
    const said = [];
    for (const file of files) {
      const problem = this.#problem(file);
      if (problem) said.push(problem);
      else {
        this.files.push(file);
        said.push(format(this.texts.fileAdded, { name: file.name }));
      }
    }
    this.#draw();
    this.tell(said.join(" "));
  }

  #draw() {
    for (const old of this.list.querySelectorAll("img")) URL.revokeObjectURL(old.src);
    this.list.replaceChildren(...this.files.map((file, place) => this.#row(file, place)));
    this.list.hidden = !this.files.length;
    this.form.elements.text.required = !this.files.length;
  }

  #row(file, place) {
    const remove = element("button", { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", format(this.texts.fileRemove, { name: file.name }));
    remove.addEventListener("click", () => {
      this.files.splice(place, 1);
      this.#draw();
      this.tell(format(this.texts.fileRemoved, { name: file.name }));
      const left = this.list.querySelectorAll("button");
      (left[Math.min(place, left.length - 1)] ?? this.button).focus();
    });
    const picture = SHOWN.has(file.type) ? [element("img", { src: URL.createObjectURL(file), alt: "", width: 40, height: 40 })] : [];
    const words = element("span", {}, file.name, element("small", { textContent: sized(file.size) }));
    return element("li", {}, ...picture, words, remove);
  }

  /** Everything that waits; it waits no more. */
  take() {
    const taken = this.files;
    this.files = [];
    this.#draw();
    return taken;
  }
}

/** Sends a form, and says how much of it has gone; what the server says no to is an error with its code. */
export function upload(url, secret, data, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("x-visitor-secret", secret);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else {
        const told = request.response?.error;
        reject(Object.assign(new Error(told?.message ?? String(request.status)), { code: told?.code ?? "" }));
      }
    };
    request.onerror = () => reject(Object.assign(new Error(""), { code: "lost" }));
    request.send(data);
  });
}

/** How far it has got, for eyes and for screen readers. */
export function meter(texts) {
  const bar = element("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", texts.sending);
  return bar;
}

async function fetched(url, secret) {
  const answer = await fetch(url, { headers: { "x-visitor-secret": secret }, credentials: "omit" });
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(found.error?.message ?? String(answer.status)), { code: found.error?.code ?? "" });
  }
  return answer.blob();
}

/** A file of a message: a picture, where it is one, and a button that saves it. Only who is known here may ask. */
export function attachment(file, url, { secret, texts, onError }) {
  const save = element("button", { type: "button", textContent: `${texts.file}: ${file.name}` });
  save.addEventListener("click", async () => {
    try {
      const address = URL.createObjectURL(await fetched(url, secret()));
      element("a", { href: address, download: file.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      onError(error);
    }
  });
  const box = element("div", { className: "widget-file" }, save);
  if (file.scan === "infected" || file.scan === "failed") {
    save.disabled = true;
    save.textContent = `${file.name}: ${file.scan === "failed" ? texts.fileUnchecked : texts.fileInfected}`;
  } else if (SHOWN.has(file.media_type)) {
    fetched(url, secret())
      .then((blob) => {
        const picture = element("img", { alt: file.name, src: URL.createObjectURL(blob) });
        picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
        box.prepend(picture);
      })
      .catch(() => {});
  }
  return box;
}
