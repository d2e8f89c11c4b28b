// The theme, relative times, and sections that follow the index. Without this script the pages are links and forms.
//
// /index/events reports changes without the new contents. The script requests the sections of this page that a change
// concerns from the page's own address with ?fragment=ID,…, and replaces the old ones. Changes in quick succession
// share a request. At most one request is in flight; the next one follows after at least a second, or later while
// requests fail, and none is sent while the page is hidden. After each connection all sections are requested, because
// no event reports the changes between the rendering of the page and the connection.
"use strict";

(() => {
  const GAP = 1000; // milliseconds between the starts of two requests
  const DELAY = 500; // the age up to which the service may return a page that is older than the index (cache.py)
  const JITTER = 1 / 4; // of the gap: browsers that got the same event do not all send a request at once
  const ANSWER_WITHIN = 10000;
  const STATUS_EVERY = 10000; // the freshness may change without the index, and the progress of a sync
  const AGES_EVERY = 5000;
  const ANNOUNCE_EVERY = 15000;
  const STALE_AFTER = 3000;
  const RETRY_FIRST = 1000;
  const RETRY_GREATEST = 30000;
  const THEMES = ["system", "light", "dark"];

  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const random = (most) => Math.random() * most;

  // --- The theme: runs before the page is painted --------------------------------------------------------------------

  const storage = {
    get(name) {
      try { return localStorage.getItem(name); } catch { return null; } // refused: no setting is stored
    },
    set(name, value) {
      try { localStorage.setItem(name, value); } catch { /* as in get */ }
    },
  };

  function readTheme() {
    const theme = storage.get("jobindex-theme");
    return THEMES.includes(theme) ? theme : "system";
  }

  function showTheme(theme) {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
    const name = find("theme-name");
    if (name) name.textContent = theme;
  }

  showTheme(readTheme());

  function offerThemes() {
    const button = find("theme");
    showTheme(readTheme());
    button.hidden = false;
    button.addEventListener("click", () => {
      const theme = THEMES[(THEMES.indexOf(readTheme()) + 1) % THEMES.length];
      storage.set("jobindex-theme", theme);
      showTheme(theme);
    });
    window.addEventListener("storage", () => showTheme(readTheme()));
  }

  // --- Relative times, as in times.py, by the service's clock --------------------------------------------------------

  let skew = 0;

  function readClock() {
    skew = Number(find("status").dataset.now) - Date.now();
  }

  function lasting(seconds) {
    for (const [least, unit, name] of [[172800, 86400, "d"], [3600, 3600, "h"], [60, 60, "min"]]) {
      if (seconds >= least) return `${Math.floor(seconds / unit).toLocaleString("en")} ${name}`;
    }
    return `${Math.floor(Math.max(seconds, 0))} s`;
  }

  function relative(time) {
    const seconds = (Date.now() + skew - time) / 1000;
    if (Math.abs(seconds) < 2) return "just now";
    return seconds > 0 ? `${lasting(seconds)} ago` : `in ${lasting(-seconds)}`;
  }

  function updateAges() {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const text = relative(Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // --- The replacement of sections -----------------------------------------------------------------------------------

  function marks(section) {
    return new Map([...section.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row.dataset.mark]));
  }

  // Return whether a row of it is new or changed; the focus stays on its element.
  function replace(fresh) {
    const old = find(fresh.id);
    if (!old) return false;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const before = marks(old);
    let changed = false;
    for (const row of fresh.querySelectorAll("[data-key]")) {
      if (before.get(row.dataset.key) !== row.dataset.mark) {
        row.classList.add("fresh");
        changed = true;
      }
      before.delete(row.dataset.key);
    }
    old.replaceWith(fresh);
    if (focused) {
      const again = focused.id ? find(focused.id) : null;
      (again ?? find("main")).focus({ preventScroll: true });
    }
    return changed || before.size > 0;
  }

  // A section with selected text is not replaced: the user may want to copy it.
  function isMarked(section) {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && section.contains(selection.anchorNode);
  }

  let announcedAt = -Infinity;

  function announce() {
    const now = performance.now();
    if (now - announcedAt < ANNOUNCE_EVERY) return;
    announcedAt = now;
    find("announcement").textContent = `Updated at ${new Date().toLocaleTimeString()}`;
  }

  // --- Live updates --------------------------------------------------------------------------------------------------

  // The service, or a proxy, answered with an error.
  class Refusal extends Error {}

  // Show a notice above the page, or remove it with null.
  function showStale(text) {
    find("stale").textContent = text ?? "";
    find("stale").hidden = text === null;
    root.classList.toggle("is-stale", text !== null);
  }

  class Live {
    #source = null;
    #wanted = new Map(); // outdated sections by id: the times of the first and the last event that concerned them
    #isAsking = false;
    #askedAt = -Infinity;
    #gap = GAP; // it grows while requests fail
    #jitter = random(JITTER);
    #timer = null;
    #retryTimer = null;
    #retry = RETRY_FIRST;
    #isPaused = storage.get("jobindex-paused") === "yes";
    #liveUntil = null;
    #staleTimer = null;

    start() {
      const button = find("live");
      button.hidden = false;
      button.addEventListener("click", () => this.#pause(!this.#isPaused));
      document.addEventListener("visibilitychange", () => this.#follow());
      document.addEventListener("selectionchange", () => this.#schedule());
      window.addEventListener("pagehide", () => this.#close());
      window.addEventListener("pageshow", (event) => { if (event.persisted) this.#follow(); });
      setInterval(() => { if (this.#isWatching()) this.#ask(concerned({})); }, STATUS_EVERY);
      this.#connect();
    }

    #isWatching() {
      return !this.#isPaused && document.visibilityState === "visible";
    }

    #pause(isPaused) {
      this.#isPaused = isPaused;
      storage.set("jobindex-paused", isPaused ? "yes" : "no");
      this.#follow();
    }

    // Subscribe or unsubscribe, depending on whether the page is watched.
    #follow() {
      if (!this.#isWatching()) {
        this.#close();
      } else if (!this.#source) {
        this.#retry = RETRY_FIRST;
        this.#connect();
      }
    }

    #connect() {
      clearTimeout(this.#retryTimer);
      this.#show(false);
      if (!this.#isWatching()) return;
      const source = new EventSource(find("main").dataset.events);
      this.#source = source;
      source.addEventListener("open", () => {
        this.#gap = GAP;
        this.#ask([...document.querySelectorAll("[data-live]")].map((section) => section.id));
        this.#show(true);
      });
      source.addEventListener("change", (event) => this.#ask(concerned(JSON.parse(event.data))));
      source.addEventListener("end", () => this.#dropped());
      source.addEventListener("error", () => this.#dropped());
    }

    #dropped() {
      this.#close();
      if (!this.#isWatching()) return;
      const delay = this.#retry / 2 + random(this.#retry / 2);
      this.#retry = Math.min(this.#retry * 2, RETRY_GREATEST);
      this.#retryTimer = setTimeout(() => this.#connect(), delay);
    }

    #close() {
      clearTimeout(this.#retryTimer);
      clearTimeout(this.#timer);
      this.#source?.close();
      this.#source = null;
      this.#show(false);
    }

    #show(isLive) {
      const button = find("live");
      button.querySelector(".light").classList.toggle("on", isLive);
      find("live-state").textContent = this.#isPaused ? "Paused" : isLive ? "Live" : "Not live";
      const hint = this.#isPaused ? "Paused: press to resume" : "press to pause";
      button.title = this.#isPaused ? hint : isLive ? `Updates automatically: ${hint}` : `Not connected to the service: ${hint}`;
      button.setAttribute("aria-pressed", String(!this.#isPaused));
      this.#updateStale(isLive);
    }

    // The page is getting old: say so at once if the user paused it, or else unless the connection is back soon.
    #updateStale(isLive) {
      clearTimeout(this.#staleTimer);
      if (isLive) {
        this.#liveUntil = null;
        showStale(null);
      } else {
        this.#liveUntil ??= new Date();
        const time = this.#liveUntil.toLocaleTimeString();
        const reason = this.#isPaused ? "Paused" : "The service does not answer";
        const rest = this.#isPaused ? 0 : this.#liveUntil.getTime() + STALE_AFTER - Date.now();
        this.#staleTimer = setTimeout(() => showStale(`${reason}: this page shows the index as of ${time}.`), Math.max(0, rest));
      }
    }

    #ask(ids) {
      const now = performance.now();
      for (const id of ids) this.#wanted.set(id, { first: this.#wanted.get(id)?.first ?? now, last: now });
      this.#schedule();
    }

    // Wait until the response is sure to contain the last change, but no longer than a limit after the first one.
    #schedule() {
      clearTimeout(this.#timer);
      for (const id of this.#wanted.keys()) if (!find(id)) this.#wanted.delete(id);
      const times = [...this.#wanted].filter(([id]) => !isMarked(find(id))).map(([, time]) => time);
      if (times.length === 0 || this.#isAsking || !this.#isWatching()) return;
      const first = Math.min(...times.map((time) => time.first));
      const last = Math.max(...times.map((time) => time.last));
      const due = Math.max(Math.min(last + DELAY, first + 2 * DELAY), this.#askedAt + this.#gap);
      this.#timer = setTimeout(() => this.#asked(due), due + this.#jitter * this.#gap - performance.now());
    }

    async #asked(due) {
      this.#isAsking = true;
      this.#askedAt = Math.max(due, performance.now()); // a timer may be a little early
      this.#jitter = random(JITTER);
      const asked = new Map();
      for (const [id, time] of this.#wanted) {
        if (time.first + DELAY > this.#askedAt || !find(id) || isMarked(find(id))) continue;
        asked.set(id, time);
        // A very recent change may not be in the response yet, so it gets a request of its own.
        if (time.last + DELAY > this.#askedAt) this.#wanted.set(id, { first: time.last, last: time.last });
        else this.#wanted.delete(id);
      }
      try {
        if (asked.size > 0) await this.#answered([...asked.keys()]);
        this.#gap = GAP;
        if (this.#source?.readyState === EventSource.OPEN) this.#retry = RETRY_FIRST;
      } catch (problem) {
        for (const [id, { first }] of asked) {
          this.#wanted.set(id, { first, last: this.#wanted.get(id)?.last ?? first });
        }
        this.#gap = Math.min(this.#gap * 2, RETRY_GREATEST);
        // The service is not reachable; the page keeps its contents.
        if (this.#source && !(problem instanceof Refusal)) this.#dropped();
      } finally {
        this.#isAsking = false;
        this.#schedule();
      }
    }

    async #answered(ids) {
      const address = new URL(location.href);
      address.hash = "";
      address.searchParams.set("fragment", ids.filter((id) => id !== "status").join(","));
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const answer = await fetch(address, { cache: "no-store", headers: { accept: "text/html" }, signal });
      const html = await answer.text();
      if (answer.status === 403) location.reload(); // the session has ended: this redirects to the sign-in
      if (!answer.ok) throw new Refusal(answer.statusText);
      if (this.#isWatching()) this.#put(html);
    }

    #put(html) {
      const parts = new DOMParser().parseFromString(html, "text/html").body.children;
      const changes = [...parts].map((part) => replace(document.adoptNode(part)));
      readClock();
      updateAges();
      if (changes.some(Boolean)) announce();
    }
  }

  // Return the sections that a change concerns; null in a change means too many names.
  function concerned(change) {
    const kinds = ["jobs", "things", "namespaces"].filter((kind) => change[kind] === null || change[kind]?.length > 0);
    const sections = [...document.querySelectorAll("[data-live]")];
    const keys = (section) => section.dataset.live.split(" ");
    return ["status", ...sections
      .filter((section) => keys(section).some((key) => key === "always" || kinds.includes(key)))
      .map((section) => section.id)];
  }

  document.addEventListener("DOMContentLoaded", () => {
    offerThemes();
    readClock();
    setInterval(() => { if (document.visibilityState === "visible") updateAges(); }, AGES_EVERY);
    new Live().start();
  });
})();
