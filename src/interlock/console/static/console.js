// What a page does beyond what it does without a script: it stays current, counts down, and can be walked by keyboard.
// Texts are put in as texts; the only markup that comes in is a page of this console's own, made like this one.
"use strict";

const SOON_MS = 30; // after an event, so that several of one transaction are one look

function live() {
  const wanted = document.body.dataset.live;
  if (wanted === undefined || !window.EventSource) return;
  const run = document.body.dataset.run;
  const source = new EventSource("/live" + (run ? "?run=" + encodeURIComponent(run) : ""));
  const kinds = wanted.split(" ").filter(Boolean);
  if (kinds.length) kinds.push("flag"); // what is stopped stands on every page
  let waiting = 0;
  let looking = false;
  const look = async () => {
    if (looking) { waiting = setTimeout(look, SOON_MS); return; }
    looking = true;
    waiting = 0;
    try { await refresh(); } finally { looking = false; }
  };
  source.addEventListener("fact", (event) => {
    const kind = event.data.split(" ", 1)[0];
    if (kinds.length && !kinds.some((each) => (kind + ".").startsWith(each + "."))) return;
    if (!waiting) waiting = setTimeout(look, SOON_MS);
  });
  source.addEventListener("error", () => { document.body.dataset.connection = source.readyState === 1 ? "on" : "off"; });
  source.addEventListener("open", () => {
    document.body.dataset.connection = "on";
    if (!waiting) waiting = setTimeout(look, 0); // what happened between the page and now was told to nobody here
  });
  window.addEventListener("pagehide", () => source.close());
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (answer.status === 401) { location.reload(); return; }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = page.getElementById(part.id);
    if (!now) { told("This has changed: load the page again."); continue; }
    if (now.innerHTML === part.dataset.was) continue;
    const active = document.activeElement;
    if (part.contains(active) && /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName)) { told("This has changed meanwhile."); continue; }
    const open = new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
    const focus = part.contains(active) ? active.id : "";
    const fresh = document.adoptNode(now);
    const was = fresh.innerHTML;
    for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = true;
    part.replaceWith(fresh);
    fresh.dataset.was = was;
    fresh.classList.add("fresh");
    if (focus) document.getElementById(focus)?.focus();
    if (fresh.dataset.says) told(fresh.dataset.says);
  }
  count();
}

function told(text) {
  const place = document.getElementById("told");
  if (place) place.textContent = text;
}

function count() {
  for (const each of document.querySelectorAll("[data-until]")) {
    const left = Math.floor((Date.parse(each.dataset.until) - Date.now()) / 1000);
    each.textContent = left <= 0 ? "expired" : left < 3600
      ? `in ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`
      : `in ${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`;
    each.classList.toggle("bad", left < 60);
  }
}

function keyboard() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const way = event.key === "ArrowLeft" ? "prev" : "next";
      document.querySelector(`a[rel=${way}]`)?.click();
    } else if (event.key === "d") {
      document.getElementById("jump")?.click();
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-row]")];
      const at = rows.indexOf(document.activeElement);
      const next = rows[Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))];
      if (next) { event.preventDefault(); next.focus(); }
    }
  });
}

const shown = performance.now();
document.addEventListener("submit", (event) => {
  if (event.submitter && event.submitter.name === "nothing") { event.preventDefault(); told("Press the button of what you mean."); return; }
  const viewed = event.target.querySelector("input[name=viewed_ms]");
  if (viewed) viewed.value = String(Math.round(performance.now() - shown));
});
for (const part of document.querySelectorAll("[data-part]")) part.dataset.was = part.innerHTML;
keyboard();
live();
count();
setInterval(count, 1000);
