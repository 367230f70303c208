"use strict";
const $ = id => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const api = location.origin + location.pathname;
const model = document.querySelector("meta[name=model]").content;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const SIDE = 1280;          // pixels of the longer side: models look at a few hundred
const LIMIT = 4.4e6;        // bytes: Lambda takes 6 MB of base64
const PATIENCE = 120e3;     // ms that a cold start may take altogether
const SLOW = 2000;          // ms after which the silence is explained
const PATIENT = new Set([429, 503, 504]);
const KEPT = "key of " + location.pathname;

let asking = null;          // the AbortController of the request on its way
let repeatable = false;     // whether there is anything to ask again
let key = "";
// A browser that is told to keep nothing throws; then the key lasts until the page is left.
try { key = sessionStorage.getItem(KEPT) ?? ""; } catch { /* asked for anew */ }
function keep() { try { sessionStorage.setItem(KEPT, key); } catch { /* as above */ } }

class Problem extends Error {
  constructor(what, why, { key = false, again = true } = {}) { super(why); Object.assign(this, { what, key, again }); }
}

/* Asking */

const TITLES = {
  unsupported_image: "This picture cannot be read",
  image_too_large: "This picture is too large",
  empty_body: "This file is empty",
  invalid_body: "The picture did not arrive whole",
  unsupported_media_type: "This is no picture",
  invalid_parameter: "The API does not take this setting",
  internal_error: "The function failed",
};
const STATUSES = {
  403: "The API refuses to answer",
  404: "There is no such API any more",
  413: "This picture is too large",
  429: "Too many callers at once",
  500: "The function could not be started",
  502: "The function failed",
  503: "The function is not available",
  504: "The function takes too long",
};
const ADVICE = {
  404: "Ask whoever runs it for its new address.",
  413: "Send a smaller one.",
  429: "Try again in a minute.",
  500: "Perhaps too many call it at once. Try again in a moment.",
  502: "Its log says why. Try again, or try another picture.",
  503: "Try again in a minute.",
  504: "The gateway waited 29 seconds for it. More memory makes it faster.",
};

function problem(status, content) {
  const { code, message } = content?.error ?? {};
  if (code) return new Problem(TITLES[code] ?? `The API refused this (${code})`, message, { again: status >= 500 });
  const words = content?.message ?? content?.Message ?? "";
  if (status === 403 && words === "Forbidden")
    return new Problem(key ? "This key is not accepted" : "This API wants a key",
                       key ? "Check it, and try again." : "Only those who have one may use it.", { key: true, again: false });
  if (status === 403 && /authentication token|signature/i.test(words))
    return new Problem("This API wants signed requests", "A browser cannot sign them; “lambdacap invoke” does.");
  if (words === "Limit Exceeded") return new Problem("The quota is used up", "This key has had its requests for now.");
  return new Problem(STATUSES[status] ?? `The API answered ${status}`, ADVICE[status] ?? (words || "It sent nothing that this page understands."));
}

const sleep = (ms, signal) => new Promise((done, stop) => {
  setTimeout(done, ms);
  signal.addEventListener("abort", () => stop(signal.reason));
});

// One question at a time: `work` is given the signal that ends it when another takes its place.
async function question(work) {
  asking?.abort();
  const { signal } = asking = new AbortController();
  $("trouble").hidden = true;
  document.body.classList.add("busy");
  try {
    await work(signal);
  } catch (error) {
    if (signal.aborted) return;
    // A defect must not look like a wait that has no end.
    if (!(error instanceof Problem)) console.error(error);
    complain(error instanceof Problem ? error : new Problem("This page does not understand the answer", String(error)));
  } finally {
    if (!signal.aborted) document.body.classList.remove("busy");
  }
}

// The answer: its bytes as a blob, and as `content` when they are JSON.
async function post(body, query, headers, signal) {
  const start = performance.now();
  if (key) headers["X-Api-Key"] = key;
  for (let pause = 1000; ; pause = Math.min(2 * pause, 15e3)) {
    let reply, content;
    try {
      reply = await send(body, query, headers, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Problem("The API cannot be reached", navigator.onLine ? "Nobody answered at this address. Try again in a moment." : "You are offline.");
    }
    try { content = JSON.parse(await reply.response.text()); } catch { /* something else */ }
    if (reply.status === 200) {
      if (key) keep();
      return { content, blob: reply.response, ms: performance.now() - start, phases: timing(reply.getResponseHeader("Server-Timing") ?? "") };
    }
    if (!PATIENT.has(reply.status) || content?.message === "Limit Exceeded" || performance.now() - start + pause > PATIENCE)
      throw problem(reply.status, content);
    say(reply.status === 429 ? "Many are asking at once. Waiting for a turn." : "The function is still starting. Waiting for it.");
    await sleep(pause, signal);
  }
}

// By XMLHttpRequest: fetch does not tell how much of a body is on its way.
function send(body, query, headers, signal) {
  const request = new XMLHttpRequest();
  let slow = 0;
  return new Promise((done, fail) => {
    request.open("POST", api + query);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      // What the system has taken is not yet what has arrived.
      if (loaded < total) $("sent").value = loaded / total; else $("sent").removeAttribute("value");
    };
    request.upload.onload = () => {
      $("sent").hidden = true;
      say("Looking …", { quiet: true });
      slow = setTimeout(say, SLOW, "The function is starting. After a quiet while that takes some seconds.");
    };
    request.onload = () => done(request);
    request.onerror = () => fail(new Error("nobody answered"));
    signal.addEventListener("abort", () => { request.abort(); fail(signal.reason); });
    say("Sending it …");
    $("sent").value = 0;
    $("sent").hidden = false;
    request.send(body);
  }).finally(() => {
    clearTimeout(slow);
    if (!signal.aborted) $("sent").hidden = true;  // it may be another's by now
  });
}

const timing = header => Object.fromEntries(
  [...header.matchAll(/(\w+)[^,]*?;\s*dur=([\d.]+)/g)].map(([, name, ms]) => [name, +ms]));

// Browsers turn the photo upright as they draw it, and leave its EXIF (where it was taken, say) behind.
async function shrunk(shot, side = SIDE, type = "image/jpeg") {
  const { file } = shot, bytes = new Uint8Array(await file.arrayBuffer());
  shot.part = breaksOff(bytes);
  let picture;
  try { picture = await createImageBitmap(file); } catch {
    // Perhaps the browser shows a part of it, or the function can read it.
    if (shot.part) picture = await drawable(file);
    if (!picture) return unseen(bytes);
  }
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = make("canvas", { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  if (type === "image/jpeg") {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close?.();
  return new Promise(done => canvas.toBlob(done, type, 0.92));
}

async function drawable(file) {
  const image = make("img", { src: URL.createObjectURL(file) });
  await new Promise(done => { image.onload = image.onerror = done; });
  URL.revokeObjectURL(image.src);
  return image.naturalWidth ? image : null;
}

// A JPEG without the marker of its end behind its last scan.
function breaksOff(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  for (let at = bytes.length - 2; at > 1; at--)
    if (bytes[at] === 0xff && (bytes[at + 1] === 0xd9 || bytes[at + 1] === 0xda)) return bytes[at + 1] === 0xda;
  return true;
}

/* What the browser cannot draw. The function may read it, but EXIF must not leave the device: what goes is an empty copy
   of the file, of the same length, into which only what makes the picture is taken over. */

const NOT_SENT = "so it could not take out what the file may tell beside the picture, such as where it was taken. It was not sent. Save it as JPEG.";
function unseen(bytes) {
  let body = null;
  try { body = isTiff(bytes) ? bareTiff(bytes) : isIso(bytes) ? bareHeic(bytes) : null; }
  catch (error) { if (!(error instanceof RangeError)) throw error; }
  if (!bytes.length) throw new Problem("This file is empty", "It holds nothing: send a picture.", { again: false });
  if (!body && !isForeign(bytes)) throw new Problem("This picture cannot be read", "This is no picture, or a broken one. It was not sent. Save it as JPEG.", { again: false });
  if (!body) throw new Problem("This picture cannot be shown", `This browser cannot show it, ${NOT_SENT}`, { again: false });
  if (body.size > LIMIT) throw new Problem("This picture cannot be read", "This browser cannot shrink it, and as it is it is too large to send. Save it as JPEG.", { again: false });
  return body;
}

const word = (bytes, at) => String.fromCharCode(...bytes.subarray(at, at + 4));
// Pictures of kinds that browsers do not know: JPEG 2000, JPEG XL, HEIC and AVIF, TIFF and cameras' raw files.
const isForeign = bytes => isTiff(bytes) || isIso(bytes) || ["jP  ", "JXL "].includes(word(bytes, 4)) || ["II*\0", "MM\0*"].includes(word(bytes, 0));
const isTiff = bytes => ["II*\0", "MM\0*"].includes(word(bytes, 0)) && word(bytes, 8).slice(0, 2) !== "CR";
const isIso = bytes => word(bytes, 4) === "ftyp";

function emptied(bytes) {
  const copy = new Uint8Array(bytes.length);
  return [copy, (from, length) => {
    if (from + length > bytes.length) throw new RangeError("beyond the end");
    copy.set(bytes.subarray(from, from + length), from);
  }];
}

// TIFF 6.0: the tags on which pixels and colours depend.
const TIFF_KEPT = new Set([254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532, 34675]);
const TIFF_SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
function bareTiff(bytes) {
  const view = new DataView(bytes.buffer), little = bytes[0] === 0x49;
  const short = at => view.getUint16(at, little), long = at => view.getUint32(at, little);
  const [copy, keep] = emptied(bytes), start = long(4), entries = [], values = {};
  for (let i = 0, at = start + 2; i < short(start); i++, at += 12) {
    const tag = short(at), size = TIFF_SIZES[short(at + 2)] ?? 0, count = long(at + 4), length = size * count;
    const from = length > 4 ? long(at + 8) : at + 8;
    if ([254, 259, 262, 273, 279, 324, 325].includes(tag))
      values[tag] = Array.from({ length: Math.min(count, bytes.length) }, (_, k) => size === 2 ? short(from + 2 * k) : long(from + 4 * k));
    else values[tag] = true;
    if (!TIFF_KEPT.has(tag)) continue;
    if (length > 4) keep(from, length);
    entries.push(at);
  }
  const raw = values[50706] || values[330] || values[271] && values[254]?.[0] & 1 || [32803, 34892].includes(values[262]?.[0]);
  if (raw) throw new Problem("This is a camera’s raw file", "Such files are not supported. Develop it, and save it as JPEG.", { again: false });
  if (values[259]?.[0] === 6) return null;  // old JPEG in TIFF may lie anywhere
  const kept = [];
  for (const [places, sizes] of [[273, 279], [324, 325]]) values[places]?.forEach((from, i) => { keep(from, values[sizes][i]); kept.push(from); });
  if (values[259]?.[0] === 7) for (const from of kept) bareJpeg(copy, from);
  keep(0, 8);
  new DataView(copy.buffer).setUint16(start, entries.length, little);
  entries.forEach((at, i) => copy.set(bytes.subarray(at, at + 12), start + 2 + 12 * i));
  copy.fill(0, start + 2 + 12 * entries.length, start + 6 + 12 * entries.length);
  return new Blob([copy], { type: "image/tiff" });
}

// Empties what stands in a JPEG's segments before its first scan and makes no pixels.
function bareJpeg(bytes, at) {
  if (bytes[at] !== 0xff || bytes[at + 1] !== 0xd8) return;
  for (at += 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda && bytes[at + 1] !== 0xd9;) {
    const kind = bytes[at + 1], end = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (kind === 0xfe || kind >= 0xe0 && kind <= 0xef && kind !== 0xee) bytes.fill(0, at + 4, end);
    at = end;
  }
}

// ISO/IEC 14496-12 and 23008-12: boxes of boxes; the pictures are items, and so is EXIF.
const ITEMS = new Set(["hvc1", "hvt1", "av01", "grid", "iovl", "iden", "tmap"]);
const BOXES = new Set(["ftyp", "pitm", "iref", "dinf", "ipma", "grpl", "ispe", "pixi", "hvcC", "av1C", "lhvC", "irot", "imir", "clap", "pasp", "clli", "mdcv"]);
function bareHeic(bytes) {
  const view = new DataView(bytes.buffer), [copy, keep] = emptied(bytes), items = new Map();
  let places = null, data = 0;
  const number = (at, size) => size === 8 ? Number(view.getBigUint64(at)) : size === 4 ? view.getUint32(at) : size === 2 ? view.getUint16(at) : 0;
  const walk = (at, end) => {
    while (at + 8 <= end) {
      const long = number(at, 4) === 1, head = long ? 16 : 8, kind = word(bytes, at + 4);
      const size = long ? number(at + 8, 8) : number(at, 4) || end - at, inside = at + head;
      if (size < head || at + size > end) {
        if (end === bytes.length) return;  // what stands behind the last box stays here
        throw new RangeError("a box beyond its box");
      }
      keep(at, head);
      if (BOXES.has(kind)) keep(at, size);
      else if (kind === "hdlr") keep(inside, 12);  // without its name
      else if (kind === "auxC") keep(inside, bytes.indexOf(0, inside + 4) - inside);  // the kind alone
      else if (kind === "colr") keep(inside, Math.min(size - head, word(bytes, inside) === "nclx" ? 11 : 4 + number(inside + 4, 4)));
      else if (kind === "meta") { keep(inside, 4); walk(inside + 4, at + size); }
      else if (kind === "iprp" || kind === "ipco") walk(inside, at + size);
      else if (kind === "iinf") { const fixed = bytes[inside] ? 8 : 6; keep(inside, fixed); walk(inside + fixed, at + size); }
      else if (kind === "infe") item(inside);
      else if (kind === "iloc") { keep(at, size); places = inside; }
      else if (kind === "idat") data = inside;
      else if (kind !== "mdat") copy.set([0x66, 0x72, 0x65, 0x65], at + 4);  // "free": room for nothing
      if (kind === "moov") throw new RangeError("a film");
      at += size;
    }
  };
  const item = at => {
    const wide = bytes[at] === 3, kind = word(bytes, at + (wide ? 10 : 8));
    if (bytes[at] < 2) throw new RangeError("an old list of items");
    items.set(number(at + 4, wide ? 4 : 2), kind);
    keep(at, wide ? 14 : 12);  // without its name
  };
  walk(0, bytes.length);
  if (places === null) return null;
  const version = bytes[places], wide = version === 2 ? 4 : 2;
  const [offset, length, base, index] = [bytes[places + 4] >> 4, bytes[places + 4] & 15, bytes[places + 5] >> 4, version ? bytes[places + 5] & 15 : 0];
  let at = places + 6 + wide;
  for (let i = number(places + 6, wide); i > 0; i--) {
    const kind = items.get(number(at, wide)), method = version ? number(at + wide, 2) & 15 : 0;
    at += wide + (version ? 4 : 2);
    const from = number(at, base) + (method === 1 ? data : 0), extents = number(at + base, 2);
    at += base + 2;
    for (let k = 0; k < extents; k++, at += index + offset + length) {
      if (!ITEMS.has(kind)) continue;
      const size = number(at + index + offset, length);
      if (method > 1 || !size) throw new RangeError("an item that lies elsewhere");
      keep(from + number(at + index, offset), size);
    }
  }
  return new Blob([copy], { type: "image/heic" });
}

/* Telling */

let counting = 0;
// `quiet`: for a moment only, so the seconds need no counting. `aloud`: for those who listen; the others read it below.
function say(text, { quiet = false, aloud = false } = {}) {
  clearInterval(counting);
  $("status").classList.toggle("away", aloud);
  $("saying").textContent = text;
  $("seconds").textContent = "";
  const start = performance.now();
  if (text && !quiet) counting = setInterval(() => { $("seconds").textContent = `${Math.round((performance.now() - start) / 1000)} s`; }, 1000);
}

function complain(error) {
  asking?.abort();
  document.body.classList.remove("busy");
  say("");
  $("sent").hidden = true;
  $("key").hidden = !error.key;
  $("again").hidden = !error.again || !repeatable;
  $("trouble").hidden = false;  // before the words: an alert is announced when it changes
  $("what").textContent = error.what;
  $("why").textContent = error.message && error.message[0].toUpperCase() + error.message.slice(1);
  $("trouble").scrollIntoView({ block: "nearest" });
  if (error.key) { $("secret").value = ""; $("secret").focus(); }
}

// JSON with a line a value, but long lists of numbers cut short: a grid of attention is 196 of them.
function pretty(value, indent = "") {
  const deeper = indent + "  ";
  if (Array.isArray(value) && value.flat(9).every(v => typeof v === "number") && value.flat(9).length > 12)
    return `[… ${value.flat(9).length} numbers]`;
  if (Array.isArray(value) && value.every(v => typeof v !== "object")) return `[${value.map(v => JSON.stringify(v)).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const lines = Object.entries(value).map(([name, v]) => deeper + (open === "{" ? JSON.stringify(name) + ": " : "") + pretty(v, deeper));
  return lines.length ? `${open}\n${lines.join(",\n")}\n${indent}${close}` : open + close;
}
const coloured = text => text.split(/(^\s*"(?:[^"\\]|\\.)*"(?=:))/m).map((part, i) => i % 2 ? make("b", { textContent: part }) : part);

// How long it took, by the parts that the function tells.
function took({ ms, phases }) {
  const inside = phases.total === undefined ? "" : `, ${Math.round(phases.total)} ms of them in the function`;
  const cold = phases.init === undefined ? "" : "; it had to start first";
  return `Answered in ${Math.round(ms)} ms${inside}${cold}.`;
}

async function copy(button, text) {
  const label = button.dataset.label ??= button.textContent;
  try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Not allowed by the browser"; }
  setTimeout(() => { button.textContent = label; }, 1500);
}
const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;
