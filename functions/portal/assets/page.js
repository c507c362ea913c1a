// What the page does better with a script. Everything also works without it, by links, forms and reloading.
//
// Each part finds its elements by a data attribute and leaves the rest alone. Only the page's own addresses are fetched.

"use strict";

document.documentElement.classList.add("js");

// ---- Times: relative, with the exact one on hover, in the viewer's zone and in UTC. Always in English, whatever the browser's language. ----

const english = "en-GB";
const exact = new Intl.DateTimeFormat(english, { dateStyle: "medium", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(english, { numeric: "auto" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function ago(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  if (Math.abs(seconds) < 5) return "now";
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
  return relative.format(Math.round(seconds / size), unit);
}

function tellTimes(within = document) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    const words = element.dataset.exact === undefined ? ago(moment) : exact.format(moment);
    if (element.textContent !== words) element.textContent = words;
    element.dataset.utc ??= element.title;
    element.title = `${exact.format(moment)} (${element.dataset.utc})`;
  }
}

const hour = new Intl.DateTimeFormat(english, { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

for (const title of document.querySelectorAll("[data-hour] > title")) {
  title.textContent = title.textContent.replace(/^\S+ UTC/, (utc) => `${hour.format(new Date(title.parentNode.dataset.hour))} (${utc})`);
}

// A date and time field comes in UTC, is shown in the viewer's zone, and is sent in UTC. If nobody changed it, it is sent as it came.
function local(moment) {
  return new Date(moment.valueOf() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, -1);
}

function tellZone(field) {
  const moment = new Date(field.value || Date.now());
  if (Number.isNaN(moment.valueOf())) return;
  const zone = hour.formatToParts(moment).find((part) => part.type === "timeZoneName").value;
  for (const words of field.labels[0].querySelectorAll("[data-zone]")) words.textContent = `(${zone})`;
}

for (const field of document.querySelectorAll('input[type="datetime-local"]')) {
  const came = new Date(`${field.value}Z`);
  const isMoment = !Number.isNaN(came.valueOf());
  if (isMoment) field.value = local(came);
  const shown = field.value;
  tellZone(field);
  field.addEventListener("input", () => tellZone(field));
  field.form.addEventListener("formdata", (event) => {
    const typed = isMoment && field.value === shown ? came : new Date(field.value);
    if (!Number.isNaN(typed.valueOf())) event.formData.set(field.name, typed.toISOString());
  });
}

// ---- The current section, scrolled into view in a bar that is too narrow for all ----------------------------------------------

document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// ---- Copying ----------------------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const words = button.querySelector("span") ?? button;
  button.dataset.words ??= words.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    words.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    words.textContent = "Press Ctrl+C";
  }
  words.setAttribute("role", "status");
  setTimeout(() => { words.textContent = button.dataset.words; }, 2000);
});

// ---- The link that opened this page: the token after # is sent from here, and to nobody else -----------------------------------

const opening = document.querySelector("form[data-open]");
if (opening && location.hash.startsWith("#whl_")) {
  opening.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  opening.requestSubmit();
}

// ---- Forms: sent once, and what was typed is still there after going back --------------------------------------------------------

// The form is busy, whichever of its buttons or keys sent it; the button shows it.
const sending = new Map();

function setFree(form) {
  const { button, timer } = sending.get(form);
  clearTimeout(timer);
  sending.delete(form);
  button.removeAttribute("aria-busy");
  if (button.dataset.busy) (button.querySelector("span") ?? button).textContent = button.dataset.words;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || sending.has(form)) return event.preventDefault();
  // The Enter key presses an invisible button, so the visible one shows that the form is busy.
  const button = event.submitter?.matches(".sr") ? form.querySelector(".button-primary") : event.submitter;
  if (!button) return;
  const words = button.querySelector("span") ?? button;
  button.dataset.words ??= words.textContent;
  if (button.dataset.busy) words.textContent = button.dataset.busy;
  button.setAttribute("aria-busy", "true");
  // If the visitor stops the loading, they may send the form again. No request takes longer than this.
  sending.set(form, { button, timer: setTimeout(() => setFree(form), 30000) });
});

addEventListener("pageshow", (event) => {
  // A page that comes back from the browser's memory still shows its forms as busy.
  if (event.persisted) for (const form of [...sending.keys()]) setFree(form);
});

const draft = document.querySelector("form[data-draft]");

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.tagName !== "BUTTON");
}

// Choices are found by their values: if the page has other choices meanwhile, none of those is chosen instead.
const isChoice = (field) => field.type === "radio" || field.type === "checkbox";

if (draft) {
  const typed = history.state?.draft;
  if (Array.isArray(typed?.chosen)) {
    const chosen = new Set(typed.chosen), values = new Map(typed.values);
    for (const field of fieldsOf(draft)) {
      if (!isChoice(field)) field.value = values.get(field.name) ?? field.value;
      else if (chosen.has(`${field.name} ${field.value}`)) field.checked = true;
      else if (field.type === "checkbox") field.checked = false;
    }
  }
  draft.addEventListener("input", () => {
    const fields = fieldsOf(draft);
    const chosen = fields.filter((field) => isChoice(field) && field.checked).map((field) => `${field.name} ${field.value}`);
    const values = fields.filter((field) => !isChoice(field)).map((field) => [field.name, field.value]);
    history.replaceState({ draft: { chosen, values } }, "");
  });
}

// Reloading the page that shows a secret must not send the form again.
const next = document.querySelector("[data-next]");
if (next) history.replaceState(null, "", next.dataset.next);

// ---- A part that is checked while the visitor types -------------------------------------------------------------------------------

// After this error nothing more is requested.
class Ended extends Error {}

// After this error nothing is requested for this many seconds.
class Busy extends Error {
  constructor(seconds) {
    super("too many requests");
    this.seconds = seconds;
  }
}

const account = (page) => page.querySelector(".who-name")?.textContent;

async function part(url, selector, signal) {
  const response = await fetch(url, { headers: { accept: "text/html" }, signal, redirect: "error" });
  if (response.status === 401) throw new Ended("your session has ended");
  if (response.status === 429) throw new Busy(Number(response.headers.get("retry-after")) || 1);
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (account(page) !== account(document)) throw new Ended("this browser is signed in to another account");
  return page.querySelector(selector);
}

const checked = document.querySelector("form[data-check]");
if (checked) {
  const selector = checked.dataset.check;
  let timer, under;
  checked.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      under?.abort();
      under = new AbortController();
      const query = new URLSearchParams(new FormData(checked));
      query.set("check", "1");
      try {
        const found = await part(`${checked.dataset.checkAt}?${query}`, selector, under.signal);
        const old = document.querySelector(selector);
        if (found && old) old.replaceChildren(...found.childNodes);
      } catch {
        // What is wrong is shown when the form is sent.
      }
    }, 300);
  });
}

// ---- Live lists: refreshed while the page is visible, until ten minutes after the last activity -----------------------------------

const live = document.querySelector("[data-live]");
const every = 3000, patience = 600000, rarest = 30000;
if (live) {
  const selector = `[data-live="${CSS.escape(live.dataset.live)}"]`;
  const shown = document.querySelector("[data-live-state]");
  let touched = Date.now(), was = live.innerHTML, ended = false, busy = 0, pause;
  function touch() {
    touched = Date.now();
    if (pause && touched - pause.since >= pause.least) pause.resume();
  }
  for (const kind of ["pointermove", "keydown", "scroll"]) addEventListener(kind, touch, { passive: true });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) touch(); });

  // A list is not replaced while a link in it has the focus, or a part of it is selected.
  function isHeld(list) {
    const selection = getSelection(), { activeElement } = document;
    const isSelected = selection && !selection.isCollapsed && selection.containsNode(list, true);
    return isSelected || list.contains(activeElement) && activeElement.matches("a, button");
  }

  // Replaces the rows and the pager. What is around them stays, and so does the scroll position.
  function renew(list, found) {
    const [table, pager] = ["tbody", ".pager"].map((place) => [list.querySelector(place), found.querySelector(place)]);
    if (!table[0] || !table[1] || !pager[0] !== !pager[1]) return list.replaceChildren(...found.childNodes);
    for (const [old, fresh] of [table, pager]) old?.replaceChildren(...fresh.childNodes);
  }

  async function refresh() {
    try {
      const old = document.querySelector(selector);
      const idle = Date.now() - touched > patience;
      if (shown) shown.textContent = idle ? "paused: move the pointer or press a key to continue" : isHeld(old) ? "paused while you are in the list" : "live";
      if (document.hidden || idle || isHeld(old)) return;
      const found = await part(location.href, selector);
      if (!found || found.innerHTML === was || isHeld(old)) return;
      was = found.innerHTML;
      const known = new Set([...old.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
      for (const row of found.querySelectorAll("[data-key]")) row.classList.toggle("fresh", !known.has(row.dataset.key));
      tellTimes(found);
      renew(old, found);
    } catch (error) {
      ended = error instanceof Ended;
      busy = error instanceof Busy ? error.seconds * 1000 : 0;
      const words = ended ? error.message : busy ? "too many requests; it continues by itself" : "reload the page";
      if (shown) shown.textContent = `not live: ${words}`;
    }
  }

  // The longer ago the last activity is, the longer the pause: a tenth of that. Activity ends a pause that was long enough.
  function rest(resume) {
    const least = every + busy;
    pause = { since: Date.now(), least, resume };
    setTimeout(resume, Math.max(least, Math.min((Date.now() - touched) / 10, rarest)));
    busy = 0;
  }

  (async () => {
    while (!ended) {
      await new Promise(rest);
      await refresh();
    }
  })();
}

// ---- The session: it does not end for lack of use while the page is visible --------------------------------------------------

const renewing = document.querySelector("[data-renew]");
if (renewing) {
  const rarely = 300000;
  let asked = Date.now();
  renewing.querySelector("[data-idle]").textContent = ", or 15 minutes after one of these pages was last visible";
  // A timer alone would be late after the computer slept.
  const timer = setInterval(renew, 20000);
  document.addEventListener("visibilitychange", renew);

  async function renew() {
    if (document.hidden || Date.now() - asked < rarely) return;
    asked = Date.now();
    try {
      const { status } = await fetch(renewing.dataset.renew, { redirect: "error" });
      if (status !== 401) return;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", renew);
      renewing.setAttribute("role", "status");
      renewing.textContent = "Your session has ended. Open a new link in another tab, then continue here: nothing that you typed is lost.";
    } catch {
      // Without a network, the next request comes after the same time.
    }
  }
}

tellTimes();
setInterval(tellTimes, 15000);
