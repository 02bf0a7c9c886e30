// Follows the daemon's state and shows it. What comes from the daemon is set as text, never as markup.

import { SPAN_S, drawAreas, fillRow, fit, hue, made, makeRow, say, terms } from "./charts.js";

const STALE_MS = 5000;
const RETRY_MS = [1000, 2000, 5000, 10000];
const SPOKEN_MS = 4000;
const PICTURE_PAUSE_MS = 3000;
const MOST_FACES = 8;
const MOST_EVENTS = 10;
const STATES = {
  starting: ["starting", ""], running: ["running", "good"], degraded: ["degraded", "warn"],
  camera_lost: ["camera lost", "bad"], stopping: ["stopping", "bad"],
};
const PRIVACY = {
  events: "No picture is stored.",
  "no-frames": "No picture is stored, and none can be shown.",
  aggregate: "Only groups are counted: no single face is remembered.",
};
const $ = (id) => document.getElementById(id);

let source = null;
let failures = 0;
let heardMs = performance.now();
let spokenMs = -SPOKEN_MS;
let pictureMs = 0;
let state = null;
let points = new Map();
let drawn = "";

function connect() {
  if (source) source.close();
  source = new EventSource("/api/events?state=1");
  source.onopen = async () => {
    failures = 0;
    await refresh();
  };
  source.addEventListener("state", (event) => show(JSON.parse(event.data)));
  source.onmessage = (event) => tell(JSON.parse(event.data));
  source.onerror = () => {
    alive(false, "Connection lost. Trying again…");
    if (source.readyState === EventSource.CLOSED) retry();
  };
}

/** The browser gave up; we do not. */
async function retry() {
  const delay = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
  failures += 1;
  setTimeout(async () => {
    const status = await fetch("/api/state", { method: "HEAD" }).then((answer) => answer.status, () => 0);
    if (status === 401) location.reload();
    else if (status === 200) connect();
    else retry();
  }, delay);
}

/** All of the state, with the whole timeline: at the beginning, and after a break. */
async function refresh() {
  const answer = await fetch("/api/state").catch(() => null);
  if (!answer || !answer.ok) return;
  const whole = await answer.json();
  points = new Map();
  show(whole);
}

function alive(yes, text) {
  $("link").dataset.live = yes ? "yes" : "no";
  say($("link"), text);
  $("main").classList.toggle("stale", !yes);
}

function show(next) {
  if (state && state.run !== next.run) points = new Map();
  state = next;
  heardMs = performance.now();
  alive(true, "Live");
  showHealth();
  showFaces();
  showPicture();
  showTimeline();
  showSpeed();
  showBoard();
  showFacts();
}

function showHealth() {
  const [word, tone] = STATES[state.state] || [state.state, ""];
  const pill = $("state");
  say(pill, word);
  pill.dataset.tone = tone;
  document.title = state.state === "running" ? "fer-edge" : `${word} · fer-edge`;
  const reasons = Object.entries(state.reasons);
  const list = $("reasons");
  list.hidden = reasons.length === 0;
  list.dataset.tone = tone;
  fit(list, reasons.length, () => made("li")).forEach((item, index) => say(item, reasons[index].join(": ")));
  say($("source"), state.who.source || "");
  say($("privacy"), PRIVACY[state.privacy.mode] || "");
}

function showFaces() {
  const crowd = state.aggregate;
  say($("h-now"), crowd ? `Last full ${crowd.window_s} seconds` : "Now");
  if (crowd) return showCrowd(crowd);
  const faces = state.faces.slice(0, MOST_FACES);
  const more = state.faces.length - faces.length;
  say($("nobody"), nobody(faces.length, more));
  $("nobody").hidden = faces.length > 0 && more === 0;
  fit($("faces"), faces.length, makeFace).forEach((card, index) => fillFace(card, faces[index]));
  speak(faces.map((face) => face.label).join(", "), faces.length);
}

function nobody(shown, more) {
  if (shown) return `${more} more, smaller`;
  if (state.state === "camera_lost") return "The camera is lost; it is opened again as soon as it answers.";
  return state.frame ? "No face to be seen." : "Waiting for the first frame.";
}

function makeFace() {
  const card = made("article", "face");
  const head = made("header");
  head.append(made("span", "label"), made("span", "who"));
  card.append(head, made("div", "rows"));
  return card;
}

function fillFace(card, face) {
  const [label, who] = card.firstElementChild.children;
  say(label, face.label);
  say(who, `face ${face.track}`);
  card.style.setProperty("--hue", hue(face.label, state.labels));
  const entries = Object.entries(face.probabilities);
  const best = Math.max(...entries.map(([, share]) => share));
  fit(card.lastElementChild, entries.length, makeRow).forEach((row, index) => {
    const [name, share] = entries[index];
    row.style.setProperty("--hue", hue(name, state.labels));
    row.classList.toggle("top-one", share === best);
    fillRow(row, name, share, `${Math.round(share * 100)} %`);
  });
}

/** Counts of a group instead of faces; null stands for fewer people than may be told of. */
function showCrowd(crowd) {
  const newest = crowd.windows[crowd.windows.length - 1];
  $("nobody").hidden = Boolean(newest);
  say($("nobody"), "The first window is not over yet.");
  const card = fit($("faces"), newest ? 1 : 0, makeFace)[0];
  if (!card) return;
  const entries = Object.entries(newest.labels);
  const most = Math.max(1, ...entries.map(([, count]) => count || 0));
  const [label, who] = card.firstElementChild.children;
  card.firstElementChild.className = "people";
  say(label, newest.people === null ? "people" : `${newest.people} people`);
  say(who, `fewer than ${crowd.min_group} are not told of`);
  fit(card.lastElementChild, entries.length, makeRow).forEach((row, index) => {
    const [name, count] = entries[index];
    row.style.setProperty("--hue", hue(name, state.labels));
    fillRow(row, name, (count || 0) / most, count === null ? "few" : String(count));
  });
}

/** For those who listen instead of looking: what changed, and not more often than it can be followed. */
function speak(labels, count) {
  const text = count ? `${count === 1 ? "One face" : `${count} faces`}: ${labels}` : "No face";
  const now = performance.now();
  if ($("spoken").textContent === text || now - spokenMs < SPOKEN_MS) return;
  spokenMs = now;
  say($("spoken"), text);
}

function showPicture() {
  const on = state.privacy.pictures;
  $("notice").hidden = !on;
  $("picture-card").hidden = !on;
  const picture = $("picture");
  const fresh = state.ready && state.frame && state.frame.age_s < STALE_MS / 1000;
  const wanted = Boolean(on && fresh && !document.hidden && performance.now() >= pictureMs);
  if (wanted && picture.hidden) picture.src = "/stream.mjpeg";
  if (!wanted && !picture.hidden) picture.removeAttribute("src");
  picture.hidden = !wanted;
  $("no-picture").hidden = wanted;
}

function showTimeline() {
  const labels = state.aggregate ? [...state.labels, "uncertain"] : state.labels;
  showLegend(labels);
  if (state.aggregate) return drawCrowd(state.aggregate, labels);
  const { now, points: fresh } = state.timeline;
  for (const [second, faces, shares] of fresh) points.set(second, [faces, shares]);
  for (const second of points.keys()) if (second < now - SPAN_S) points.delete(second);
  if (drawn === `${state.run} ${now}`) return;
  drawn = `${state.run} ${now}`;
  const seconds = [...points.keys()].sort((a, b) => a - b);
  const rows = seconds.map((second) => [SPAN_S - (now - 1 - second), points.get(second)[1]]);
  drawAreas($("timeline"), rows, labels, SPAN_S, 3);
  $("timeline").setAttribute("aria-label", summary(rows, labels));
}

function drawCrowd(crowd, labels) {
  say($("h-time"), "Groups over time");
  say($("time-note"), "people per expression");
  const most = Math.max(1, ...crowd.windows.map((each) => total(each.labels)));
  const rows = crowd.windows.map((each, index) => [
    index + 30 - crowd.windows.length, labels.map((name) => (each.labels[name] || 0) / most),
  ]);
  drawAreas($("timeline"), rows, labels, 29, 1.5);
  axis(crowd.window_s * 30);
}

function total(labels) {
  return Object.values(labels).reduce((sum, count) => sum + (count || 0), 0);
}

/** The timeline in words. */
function summary(rows, labels) {
  const seen = rows.filter(([, shares]) => shares);
  if (!seen.length) return "No face in the last 5 minutes";
  const mean = labels.map((name, index) => [name, seen.reduce((sum, [, s]) => sum + (s[index] || 0), 0) / seen.length]);
  mean.sort((a, b) => b[1] - a[1]);
  const parts = mean.slice(0, 3).map(([name, share]) => `${name} ${Math.round(share * 100)} %`);
  return `Last 5 minutes, on average: ${parts.join(", ")}`;
}

function showLegend(labels) {
  fit($("legend"), labels.length, () => made("li")).forEach((item, index) => {
    say(item, labels[index]);
    item.style.setProperty("--hue", hue(labels[index], labels));
  });
  if (!$("axis").children.length) axis(SPAN_S);
}

function axis(span) {
  fit($("axis"), 6, () => made("span")).forEach((mark, index) => {
    const minutes = (span * (5 - index)) / 5 / 60;
    say(mark, index === 5 ? "now" : `${Number(minutes.toFixed(1))} min`);
  });
}

function showSpeed() {
  say($("fps"), state.fps.toFixed(1));
  const stages = Object.entries(state.stages_ms);
  const most = Math.max(0.001, ...stages.map(([, times]) => times.p95));
  fit($("stages"), stages.length, makeRow).forEach((row, index) => {
    const [name, { p50, p95 }] = stages[index];
    fillRow(row, name, p50 / most, `${p50.toFixed(1)} · ${p95.toFixed(1)}`, p95 / most);
  });
}

function showBoard() {
  const board = state.board || {};
  const throttled = board.throttled ? board.throttled.join(", ") || "nothing" : "not told";
  const memory = board.memory_available_bytes;
  const celsius = board.temperature_c;
  terms($("board"), [
    ["Temperature", typeof celsius === "number" ? `${celsius.toFixed(1)} °C` : "not told"],
    ["Held back by", throttled, board.throttled && board.throttled.length ? "warn" : ""],
    ["Free memory", typeof memory === "number" ? `${Math.round(memory / 1048576).toLocaleString()} MiB` : "not told"],
  ]);
}

function showFacts() {
  const who = state.who;
  terms($("model"), [
    ["Model", who.model], ["Artifact", who.artifact], ["Runtime", who.runtime], ["Computes in", who.effective_precision],
    ["Threads", who.threads], ["Detector", who.detector], ["fer-edge", who.fer_edge],
  ]);
  const counts = state.counts;
  terms($("counts"), [
    ["Running for", span(state.up_s)], ["Frames", counts.frames.toLocaleString()],
    ["Faces in them", counts.faces === null ? "not counted" : counts.faces.toLocaleString()],
    ["Frames dropped", counts.dropped_frames.toLocaleString()],
    ["Events lost", counts.lost_events.toLocaleString(), counts.lost_events ? "warn" : ""],
    ["Camera lost", `${counts.camera_losses.toLocaleString()} ×`],
  ]);
}

function span(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

const WORDS = {
  face_entered: (event) => `Face ${event.track} came: ${event.label}`,
  expression_changed: (event) => `Face ${event.track}: ${event.from} → ${event.label}`,
  face_left: (event) => `Face ${event.track} left`,
  camera_lost: (event) => `Camera lost: ${event.reason}`,
  camera_back: () => "Camera is back",
  state_changed: (event) => `Now ${(STATES[event.state] || [event.state])[0]}`,
  model_changed: (event) => `The model was changed: ${event.reason}`,
  model_refused: (event) => `A new model is not used: ${event.reason}`,
  started: (event) => `Started with ${event.model || "a model"}`,
  stopped: (event) => `Stopped: ${event.reason}`,
};

/** One event as a line; what has no words here is not shown. */
function tell(event) {
  heardMs = performance.now();
  const words = Object.hasOwn(WORDS, event.type) ? WORDS[event.type] : null;
  if (!words) return;
  const line = made("li");
  const time = made("time", "", new Date(event.time).toLocaleTimeString([], { hour12: false }));
  line.append(time, made("span", "", words(event)));
  $("lately").prepend(line);
  while ($("lately").children.length > MOST_EVENTS) $("lately").lastElementChild.remove();
  $("quiet").hidden = true;
}

/** Where a token is needed, a way to give the cookie back. */
async function offerLeave() {
  const answer = await fetch("/api/openapi.json").catch(() => null);
  if (!answer || !answer.ok) return;
  $("leave").hidden = !((await answer.json()).paths["/logout"]);
  $("leave").onclick = async () => {
    await fetch("/logout", { method: "POST", redirect: "manual" });
    location.reload();
  };
}

setInterval(() => {
  if (performance.now() - heardMs > STALE_MS && $("link").dataset.live === "yes") alive(false, "No news. Waiting…");
}, 1000);
document.addEventListener("visibilitychange", () => state && showPicture());
$("picture").addEventListener("error", () => {
  if ($("picture").hidden) return;
  $("picture").hidden = true;
  pictureMs = performance.now() + PICTURE_PAUSE_MS;
});
connect();
offerLeave();
