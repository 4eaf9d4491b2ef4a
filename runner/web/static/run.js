// Keeps the page of a run up to date: the server renders, this asks again and swaps what changed.
"use strict";
(() => {
  const main = document.querySelector("main[data-version]");
  if (!main) return;

  const parts = (root) => new Map([...root.querySelectorAll("[data-part]")].map((e) => [e.dataset.part, e]));
  // What the server sent for each part: the page's own changes (open, appended lines) do not count.
  const served = new Map();
  const remember = (root) => parts(root).forEach((e, name) => served.set(name, e.outerHTML));
  remember(main);

  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const toEnd = (box) => { box.scrollTop = box.scrollHeight; };

  function localise(root) {
    const style = { dateStyle: "medium", timeStyle: "short" };
    for (const time of root.querySelectorAll("time.when"))
      time.textContent = new Date(time.dateTime).toLocaleString(undefined, style);
  }

  function duration(seconds) {
    const s = Math.max(0, Math.floor(seconds)), m = Math.floor(s / 60), h = Math.floor(m / 60);
    if (h) return m % 60 ? `${h}h ${m % 60}m` : `${h}h`;
    if (m) return s % 60 ? `${m}m ${s % 60}s` : `${m}m`;
    return `${s} s`;
  }

  function tick() {
    for (const e of document.querySelectorAll("[data-since]"))
      e.textContent = duration(Date.now() / 1000 - Number(e.dataset.since));
  }

  function swap(old, fresh) {
    const oldLog = old.querySelector(".log"), place = oldLog && oldLog.scrollTop, end = oldLog && atEnd(oldLog);
    if (old.open) fresh.open = true;
    const focus = old.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY";
    const left = old.scrollLeft;
    localise(fresh);
    old.replaceWith(fresh);
    fresh.scrollLeft = left;
    const log = fresh.querySelector(".log");
    if (log && (end || !oldLog)) toEnd(log); else if (log) log.scrollTop = place;
    if (focus) fresh.querySelector("summary").focus();
  }

  async function refresh() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const newMain = page.querySelector("main"), fresh = parts(newMain), mine = parts(main);
    document.title = page.title;
    main.dataset.version = newMain.dataset.version;
    const sameShape = fresh.size === mine.size && [...fresh.keys()].every((name) => mine.has(name));
    if (!sameShape) {
      main.replaceChildren(...newMain.children);
      served.clear();
      remember(main);
      localise(main);
    } else {
      for (const [name, element] of fresh) {
        if (served.get(name) === element.outerHTML) continue;
        served.set(name, element.outerHTML);
        swap(mine.get(name), element);
      }
    }
    tick();
  }

  // News may come in bursts: one refresh at a time, and not more than about two a second.
  let busy = false, again = false;
  async function refreshSoon() {
    if (busy) { again = true; return; }
    busy = true;
    do {
      again = false;
      try { await refresh(); } catch { /* the server is away; the stream tells when it is back */ }
      await new Promise((done) => setTimeout(done, 400));
    } while (again);
    busy = false;
  }

  async function follow() {
    for (const box of document.querySelectorAll("details[open] .log[data-follow]")) {
      const last = box.lastElementChild;
      const next = last ? Number(last.querySelector(".number").textContent) + 1 : 1;
      try {
        const answer = await fetch(`${box.dataset.follow}&from=${next}`, { cache: "no-store" });
        const html = answer.ok ? await answer.text() : "";
        if (!html.trim() || !box.isConnected || box.lastElementChild !== last) continue;
        const end = atEnd(box);
        const lines = new DOMParser().parseFromString(html, "text/html").body.children;
        box.append(...lines);
        while (box.children.length > 500) box.firstElementChild.remove();
        if (end) toEnd(box);
      } catch { /* asked again in a moment */ }
    }
    setTimeout(follow, 1000);
  }

  function open() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (!details) return;
    details.open = true;
    target.scrollIntoView({ block: "nearest" });
  }

  localise(main);
  tick();
  setInterval(tick, 1000);
  document.querySelectorAll(".log[data-follow]").forEach(toEnd);
  window.addEventListener("hashchange", open);
  open();

  if (main.dataset.stream) {
    const stream = new EventSource(main.dataset.stream);
    stream.addEventListener("run", (event) => {
      if (event.lastEventId !== main.dataset.version) refreshSoon();
    });
    stream.addEventListener("end", () => stream.close());
    follow();
  }
})();
