// What the pages do beyond links and forms: the theme, ages that grow, and sections that follow the index.
//
// /index/events tells that something changed, not what it now is. The sections of this page that it concerns are
// asked for again, from the page's own address with ?fragment=ID,…, and put in place of the old ones. A change makes
// one such question, and several make one together. At most one is under way, the next one a second later at the
// earliest, and ever later while they fail; nothing is asked while nobody looks. With each connection all sections are
// asked for: what changed between the making of the page and the connection is told by nobody.
"use strict";

(() => {
  const GAP = 1000; // milliseconds from the start of one question to that of the next
  const DELAY = 500; // so long the service may give an answer that the index has overtaken (kept.py)
  const JITTER = 1 / 4; // of the gap: viewers told of the same change do not all ask at once
  const ANSWER_WITHIN = 10000;
  const STATUS_EVERY = 10000; // how fresh the index is may change though nothing in it does
  const AGES_EVERY = 5000;
  const ANNOUNCE_EVERY = 15000;
  const STALE_AFTER = 3000;
  const RETRY_FIRST = 1000;
  const RETRY_GREATEST = 30000;
  const THEMES = ["system", "light", "dark"];

  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const random = (most) => Math.random() * most;

  // --- The theme: this runs before the page is painted -------------------------------------------------------------

  const storage = {
    get(name) {
      try { return localStorage.getItem(name); } catch { return null; } // refused: nothing is remembered
    },
    set(name, value) {
      try { localStorage.setItem(name, value); } catch { /* as above */ }
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

  // --- Ages, in the words of times.py, by the service's clock ------------------------------------------------------

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

  function tellAges() {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      const text = relative(Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // --- Sections put in place of the old ones -----------------------------------------------------------------------

  function marks(section) {
    return new Map([...section.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row.dataset.mark]));
  }

  // Return whether anything in it is new; the focus stays where it was.
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

  // Someone who has marked text in a section wants to copy it.
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

  // --- Liveness ----------------------------------------------------------------------------------------------------

  // The service, or who stands before it, answers that it cannot just now.
  class Refusal extends Error {}

  // Say above the page that it is old, or, with null, that it is not.
  function tell(text) {
    find("stale").textContent = text ?? "";
    find("stale").hidden = text === null;
    root.classList.toggle("is-stale", text !== null);
  }

  class Live {
    #source = null;
    #wanted = new Map(); // by the ids of sections that are out of date: when they were first and last told to be
    #isAsking = false;
    #askedAt = -Infinity;
    #gap = GAP; // it grows while questions fail
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
      setInterval(() => { if (this.#isWatching()) this.#ask(["status"]); }, STATUS_EVERY);
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

    // Begin to watch, or end it.
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
      const what = this.#isPaused ? "Paused: press to follow the index" : "press to pause";
      button.title = this.#isPaused ? what : isLive ? `Follows the index: ${what}` : `Not connected to the service: ${what}`;
      button.setAttribute("aria-pressed", String(!this.#isPaused));
      this.#tellStale(isLive);
    }

    // What is shown grows old: it says so at once where it was asked for, and else once no line comes up again soon.
    #tellStale(isLive) {
      clearTimeout(this.#staleTimer);
      if (isLive) {
        this.#liveUntil = null;
        tell(null);
      } else {
        this.#liveUntil ??= new Date();
        const time = this.#liveUntil.toLocaleTimeString();
        const reason = this.#isPaused ? "Paused" : "The service does not answer";
        const rest = this.#isPaused ? 0 : this.#liveUntil.getTime() + STALE_AFTER - Date.now();
        this.#staleTimer = setTimeout(() => tell(`${reason}: this page is as of ${time}.`), Math.max(0, rest));
      }
    }

    #ask(ids) {
      const now = performance.now();
      for (const id of ids) this.#wanted.set(id, { first: this.#wanted.get(id)?.first ?? now, last: now });
      this.#schedule();
    }

    // Ask once the answer is sure to tell of the last change, but for the first one without waiting for ever.
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
        // What changed just now may not be in the answer yet: it has a question of its own.
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
        // The service is away; what is shown stays.
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
      if (answer.status === 403) location.reload(); // the session has ended: this leads to where one begins
      if (!answer.ok) throw new Refusal(answer.statusText);
      if (this.#isWatching()) this.#put(html);
    }

    #put(html) {
      const parts = new DOMParser().parseFromString(html, "text/html").body.children;
      const changes = [...parts].map((part) => replace(document.adoptNode(part)));
      readClock();
      tellAges();
      if (changes.some(Boolean)) announce();
    }
  }

  // Return the sections that a change concerns; null in it are too many to name.
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
    setInterval(() => { if (document.visibilityState === "visible") tellAges(); }, AGES_EVERY);
    new Live().start();
  });
})();
