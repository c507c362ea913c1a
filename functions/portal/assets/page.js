// What the page does better with a script. Everything works without: links, forms and reloading do the same.
//
// Each part finds its elements by a data attribute and leaves the rest alone. Nothing is fetched but the page's own addresses.

"use strict";

document.documentElement.classList.add("js");

// ---- Times: in the viewer's zone, relative, with the exact one on hover -------------------------------------------------------

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
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
    element.title = exact.format(moment);
  }
}

// ---- Where one is, in a bar that is too narrow for all ------------------------------------------------------------------------

document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// ---- Copying ----------------------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const words = button.querySelector("span") ?? button;
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    words.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    words.textContent = "Press Ctrl+C";
  }
  words.setAttribute("role", "status");
  setTimeout(() => { words.textContent = before; }, 2000);
});

// ---- The link that opened this page: what follows # is sent from here, and to nobody else --------------------------------------

const opening = document.querySelector("form[data-open]");
if (opening && location.hash.startsWith("#whl_")) {
  opening.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  opening.requestSubmit();
}

// ---- Forms: sent once, and what was typed is still there after going back --------------------------------------------------------

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented) return;
  if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
  button.setAttribute("aria-busy", "true");
  if (button.dataset.busy) (button.querySelector("span") ?? button).textContent = button.dataset.busy;
});

addEventListener("pageshow", (event) => {
  // A page that comes back from the browser's memory is as it was left.
  if (event.persisted) for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

const draft = document.querySelector("form[data-draft]");

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.tagName !== "BUTTON");
}

if (draft) {
  const typed = history.state?.draft;
  if (typed) {
    fieldsOf(draft).forEach((field, at) => {
      if (typed[at]?.[0] !== field.name) return;
      if (field.type === "radio" || field.type === "checkbox") field.checked = typed[at][1];
      else field.value = typed[at][1];
    });
  }
  draft.addEventListener("input", () => {
    const values = fieldsOf(draft).map((field) =>
      [field.name, field.type === "radio" || field.type === "checkbox" ? field.checked : field.value]);
    history.replaceState({ draft: values }, "");
  });
}

// What shows a secret once must not be sent again by reloading.
const next = document.querySelector("[data-next]");
if (next) history.replaceState(null, "", next.dataset.next);

// ---- A part that is checked while one types ---------------------------------------------------------------------------------------

async function part(url, selector, signal) {
  const response = await fetch(url, { headers: { accept: "text/html" }, signal, redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  return new DOMParser().parseFromString(await response.text(), "text/html").querySelector(selector);
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
        // What is wrong will be told when the form is sent.
      }
    }, 300);
  });
}

// ---- Lists that stay fresh: while somebody looks, for ten minutes after the last touch --------------------------------------------

const live = document.querySelector("[data-live]");
const every = 3000, patience = 600000;
if (live) {
  const selector = `[data-live="${CSS.escape(live.dataset.live)}"]`;
  const shown = document.querySelector("[data-live-state]");
  let touched = Date.now(), was = live.innerHTML;
  for (const kind of ["pointermove", "keydown", "scroll"]) addEventListener(kind, () => { touched = Date.now(); }, { passive: true });

  async function refresh() {
    const old = document.querySelector(selector);
    // Whoever is within it with the keyboard is not thrown out.
    const idle = Date.now() - touched > patience;
    if (shown) shown.textContent = idle ? "paused: touch the page to go on" : "live";
    if (document.hidden || idle || old.contains(document.activeElement) && document.activeElement !== old) return;
    try {
      const found = await part(location.href, selector);
      if (!found || found.innerHTML === was) return;
      was = found.innerHTML;
      const known = new Set([...old.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
      for (const row of found.querySelectorAll("[data-key]")) row.classList.toggle("fresh", !known.has(row.dataset.key));
      tellTimes(found);
      old.replaceChildren(...found.childNodes);
    } catch {
      if (shown) shown.textContent = "not live: reload the page";
    }
  }
  (async () => {
    for (;;) {
      await new Promise((resume) => setTimeout(resume, every));
      await refresh();
    }
  })();
}

tellTimes();
setInterval(tellTimes, 15000);
