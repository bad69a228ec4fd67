"use strict";
// What pages do in the browser beside htmx: uploads with progress, keys, and a word when the service does not answer.

const BATCH_FILES = 100;
const BATCH_BYTES = 16 * 1024 * 1024;
const RETRY_SECONDS = 3;

const message = document.getElementById("message");

function say(text, kind = "") {
  const notice = document.createElement("div");
  notice.className = `notice bad ${kind}`;
  notice.textContent = text;
  message.replaceChildren(notice);
}

// ---- when the service is away

/** Whether the page asks for that part by itself: at intervals, or by the trigger `again`. */
const asksAgain = (element) => /\b(every|again)\b/.test(element.getAttribute("hx-trigger") ?? "");

/** Whether to ask again: as the service says, or where a proxy answered in its place. */
function isAway(request) {
  const told = request.getResponseHeader("x-should-retry");
  return told === null ? [0, 502, 503, 504].includes(request.status) : told === "true";
}

document.addEventListener("htmx:afterRequest", ({ detail: { xhr, successful, requestConfig: { elt } } }) => {
  const byItself = asksAgain(elt);
  if (successful) {
    // what a person was answered stays where the page alone has asked since
    message.querySelectorAll(byItself ? ".away" : ".notice").forEach((notice) => notice.remove());
  } else if (byItself) {
    message.firstElementChild?.classList.add("away");
    if (isAway(xhr)) setTimeout(() => htmx.trigger(elt, "again"), 1000 * RETRY_SECONDS);
  }
});
document.addEventListener("htmx:sendError", ({ detail: { elt } }) => sayAway(elt));
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status < 400 || detail.xhr.getResponseHeader("HX-Retarget")) return;
  detail.shouldSwap = false; // a proxy's page, with nothing for this one in it
  if (isAway(detail.xhr)) sayAway(detail.elt);
  else say(refusedBetween(detail.xhr));
});

const refusedBetween = ({ status }) => `Something between this page and the service, such as a proxy, refused this (${status}).${status === 413 ? " It is too large for it." : ""}`;

function sayAway(element) {
  say(`The service does not answer. ${asksAgain(element) ? "This page tries again by itself." : "Try it again in a moment."}`, "away");
}

// Keys stand for what names them in `data-key`, except where somebody writes.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select")) return;
  const named = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!named) return;
  event.preventDefault();
  named.click();
});

// ---- the map of a model's items

const SHOWN_AFTER_MS = 80;
let pointing;

function pointAt(dot) {
  const plane = dot.closest("[data-map]");
  plane.querySelector(".at")?.classList.remove("at");
  dot.classList.add("at");
  const place = [...plane.querySelectorAll("svg circle")].indexOf(dot);
  clearTimeout(pointing);
  pointing = setTimeout(() => htmx.ajax("GET", `${plane.dataset.map}/${place}`, { target: "#pointed" }), SHOWN_AFTER_MS);
}

document.addEventListener("mouseover", (event) => {
  if (event.target.matches("[data-map] circle")) pointAt(event.target);
});

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** The nearest item on that side of the one that is shown: what lies ahead counts less than what lies aside. */
function ahead(plane, [right, down]) {
  const dots = [...plane.querySelectorAll("circle")];
  const from = plane.querySelector(".at");
  if (!from) return dots[0];
  const far = (dot) => {
    const x = dot.cx.baseVal.value - from.cx.baseVal.value, y = dot.cy.baseVal.value - from.cy.baseVal.value;
    const forth = x * right + y * down, aside = Math.abs(x * down + y * right);
    return forth > 0 ? forth + 2 * aside : Infinity;
  };
  const next = dots.reduce((best, dot) => (far(dot) < far(best) ? dot : best), from);
  return next === from ? null : next;
}

document.addEventListener("keydown", (event) => {
  if (!(event.key in ARROWS) || !event.target.matches("[data-map] svg")) return;
  event.preventDefault();
  const dot = ahead(event.target, ARROWS[event.key]);
  if (dot) pointAt(dot);
});

// ---- uploads

/** What a problem says, with fields by their names where programs need pointers. */
const inWords = (detail) => detail?.replaceAll(/(^|; )\/(\w+): /g, (_, before, field) => `${before}${field.replaceAll("_", " ")}: `);

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Send one request, again while the service is away or busy; resolves to the answered document. */
async function send(method, path, body, headers, onProgress) {
  const token = document.querySelector('meta[name="csrf-token"]');
  for (;;) {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "json";
    if (token) request.setRequestHeader("X-CSRF-Token", token.content);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (onProgress) request.upload.onprogress = (event) => onProgress(event.loaded);
    const ended = new Promise((resolve) => { request.onloadend = resolve; });
    request.send(body);
    await ended;
    if (request.status >= 200 && request.status < 300) return request.response;
    if (request.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
    if (!isAway(request)) throw new Error(inWords(request.response?.detail) ?? refusedBetween(request));
    say("The service does not answer, or is busy. The upload goes on by itself.");
    await pause(Number(request.getResponseHeader("Retry-After")) || RETRY_SECONDS);
    message.replaceChildren();
  }
}

/** The files of a drop, with their paths; folders are walked. What was dropped can be asked for at once only. */
async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile()).filter(Boolean);
  const found = [];
  async function walk(entry, folder) {
    if (entry instanceof File) {
      found.push({ file: entry, path: folder + entry.name });
    } else if (entry.isFile) {
      await walk(await new Promise((resolve, reject) => entry.file(resolve, reject)), folder);
    } else {
      const reader = entry.createReader();
      for (;;) {
        const inner = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!inner.length) return;
        for (const each of inner) await walk(each, `${folder}${entry.name}/`);
      }
    }
  }
  for (const entry of entries) await walk(entry, "");
  return found;
}

const chosen = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

function* batches(files) {
  let batch = [], bytes = 0;
  for (const each of files) {
    if (batch.length && (batch.length === BATCH_FILES || bytes + each.file.size > BATCH_BYTES)) {
      yield batch;
      batch = [], bytes = 0;
    }
    batch.push(each);
    bytes += each.file.size;
  }
  if (batch.length) yield batch;
}

/** Options of the form, and a name: that of the folder, or of the one file. */
function fieldsOf(form, files) {
  const fields = new FormData(form);
  const [first, ...inner] = files[0].path.split("/");
  const own = inner.length ? first : files.length === 1 ? first.replace(/\.[^.]+$/, "") : "";
  if (!fields.get("name")) fields.set("name", own);
  for (const [name, value] of [...fields]) if (value === "" || value instanceof File) fields.delete(name);
  fields.set("finalize", "false");
  return fields;
}

async function upload(form, files) {
  const status = form.querySelector("[data-status]");
  if (form.ariaBusy === "true") return;
  if (!files.length) {
    status.textContent = "There are no files in that.";
    return;
  }
  const total = files.reduce((sum, each) => sum + each.file.size, 0) || 1;
  const bar = form.querySelector("progress");
  form.querySelector("[data-progress]").hidden = false;
  const fields = fieldsOf(form, files);
  form.ariaBusy = "true";
  form.querySelectorAll("input, select").forEach((input) => { input.disabled = true; });
  try {
    const dataset = await send("POST", "/v1/datasets", fields, { "Idempotency-Key": key() });
    let sent = 0, count = 0;
    for (const batch of batches(files)) {
      const body = new FormData();
      for (const { file, path } of batch) body.append("files", file, path);
      await send("POST", `${dataset.urls.self}/files`, body, {}, (bytes) => { bar.value = Math.min((sent + bytes) / total, 1); });
      sent += batch.reduce((sum, each) => sum + each.file.size, 0);
      count += batch.length;
      status.textContent = `${count.toLocaleString("en")} of ${files.length.toLocaleString("en")} files have been sent.`;
    }
    await send("POST", dataset.urls.finalize, null, {});
    location.assign(`/datasets/${dataset.id}`);
  } catch (error) {
    say(error.message);
    form.ariaBusy = "false";
    form.querySelectorAll("input, select").forEach((input) => { input.disabled = false; });
  }
}

/** A random key, also where pages came without TLS and `crypto.randomUUID` is not to be had. */
const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const form = document.getElementById("upload");
if (form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelectorAll("[data-files]").forEach((input) => {
    input.addEventListener("change", () => upload(form, chosen(input)));
  });
  const drop = form.querySelector("[data-drop]");
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    upload(form, await dropped(event.dataTransfer.items));
  });
}
