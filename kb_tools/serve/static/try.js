// What a case comes to, as it is typed; rows that come and go; a file into the form. Without it the form works by posting.

const form = document.getElementById("case");
const WAIT = 400; // Milliseconds without a key before the case is sent.
const MOST = 4 * 1024 * 1024; // The largest file, in bytes.
let waiting, sending;
let revised = false; // Whether another revision was chosen, which asks other things.
let asked = document.getElementById("outcome").dataset.under; // Whose questions stand beside the fields, where the case chose it.

// ------------------------------------------------------------------ what it comes to

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(send, WAIT);
}

async function send() {
  sending?.abort();
  sending = new AbortController();
  const body = new URLSearchParams(new FormData(form));
  body.delete("text");
  if (!revised) body.set("part", "answer");
  const outcome = document.getElementById("outcome");
  outcome.classList.add("busy");
  try {
    const headers = { Accept: "application/json" };
    const reply = await fetch(form.action, { method: "POST", body, headers, signal: sending.signal });
    if (reply.ok) show(new DOMParser().parseFromString(await reply.text(), "text/html"));
    else if (reply.status === 503) waiting = setTimeout(send, 1000 * (reply.headers.get("Retry-After") ?? 2));
    else say((await reply.json()).detail);
  } catch (error) {
    if (error.name !== "AbortError") say("The workbench does not answer: is kb serve still running?");
  }
}

function say(text) {
  const outcome = document.getElementById("outcome");
  outcome.className = "outcome wrong";
  outcome.textContent = text;
  document.getElementById("details").replaceChildren();
}

function show(answer) {
  const outcome = document.getElementById("outcome");
  const come = answer.getElementById("outcome");
  outcome.className = come.className;
  // A screen reader says it again only where it has changed.
  if (outcome.textContent !== come.textContent) outcome.replaceChildren(...come.childNodes);
  document.getElementById("details").replaceChildren(...answer.getElementById("details").childNodes);
  place();
  // What is wrong with the field that is filled in stays in sight, above the outcome where that stands at the foot.
  document.activeElement?.closest(".field")?.querySelector(".slips:not(:empty)")?.scrollIntoView({ block: "nearest" });
  if (revised) ask(answer);
  // Where no policy is chosen, the case may by now be found to be of another.
  const under = come.dataset.under;
  if (!document.getElementById("revision").value && under && under !== asked) {
    asked = under;
    revised = true;
    soon();
  }
}

// What the revision that is chosen now asks, beside each field, and beside those of rows to come; and what it reads.
function ask(page) {
  revised = false;
  for (const list of form.querySelectorAll(".asks")) {
    list.replaceChildren(...(page.getElementById(list.id)?.childNodes ?? []));
  }
  for (const group of form.querySelectorAll(".add[role=group]")) {
    const rows = CSS.escape(group.closest("[data-rows]").dataset.rows);
    group.replaceChildren(...(page.querySelector(`[data-rows=${rows}] .add[role=group]`)?.childNodes ?? []));
  }
  for (const template of form.querySelectorAll("template")) {
    const rows = CSS.escape(template.closest("[data-rows]").dataset.rows);
    const kind = CSS.escape(template.dataset.kind);
    template.replaceWith(page.querySelector(`[data-rows=${rows}] template[data-kind=${kind}]`));
  }
}

// Each slip beside its field.
function place() {
  for (const list of form.querySelectorAll("[data-slips]")) {
    list.replaceChildren();
    mark(list.dataset.slips, false);
  }
  for (const slip of document.querySelectorAll("#placed > li")) {
    const list = document.getElementById(`${slip.dataset.field}--slips`);
    const item = document.createElement("li");
    item.textContent = slip.querySelector("span").textContent;
    item.className = slip.className;
    list?.append(item);
    if (!slip.className) mark(slip.dataset.field, true);
  }
}

function mark(name, wrong) {
  const control = document.getElementById(`${name}--slips`)?.closest(".field, fieldset");
  const field = control?.matches("fieldset") ? control : document.getElementById(name);
  if (wrong) field?.setAttribute("aria-invalid", "true");
  else field?.removeAttribute("aria-invalid");
}

// ------------------------------------------------------------------ rows

function add(button) {
  const rows = button.closest("[data-rows]");
  const numbers = [...rows.querySelectorAll("[data-row]")].map((row) => Number(row.dataset.row.match(/\[(\d+)\]$/)[1]));
  const name = `[${Math.max(-1, ...numbers) + 1}]`;
  const row = rows.querySelector(`template[data-kind="${button.dataset.add}"]`).content.cloneNode(true);
  for (const element of row.querySelectorAll("*")) {
    for (const attribute of element.attributes) attribute.value = attribute.value.replaceAll("[__]", name);
  }
  rows.querySelector(".list").append(row);
  rows.querySelector(".list > :last-child .field :is(input, select, textarea)")?.focus();
}

function remove(button) {
  const row = button.closest("[data-row]");
  const near = row.nextElementSibling ?? row.previousElementSibling;
  const next = near?.querySelector("[data-remove]") ?? row.closest("[data-rows]").querySelector("[data-add]");
  row.remove();
  next.focus();
}

// One more empty line where several values may stand and the last one is filled.
function lengthen(input) {
  const lines = input.closest(".several");
  if (lines?.lastElementChild !== input || !input.value) return;
  const next = input.cloneNode();
  next.value = "";
  lines.append(next);
}

form.addEventListener("input", (event) => {
  if (!event.target.name || event.target.closest(".paste")) return;
  lengthen(event.target);
  revised ||= event.target.id === "revision";
  soon();
});
form.addEventListener("click", (event) => {
  // From what is wrong to the field where it is.
  const link = event.target.closest("#placed a");
  if (link) {
    event.preventDefault();
    const field = document.getElementById(link.closest("li").dataset.field);
    const control = field?.matches("fieldset") ? field.querySelector("input:not([type=hidden]), select, textarea, button") : field;
    (control ?? field)?.focus();
    field?.scrollIntoView({ block: "center" });
    return;
  }
  const button = event.target.closest("[data-add], [data-remove]");
  if (!button) return;
  event.preventDefault();
  if ("add" in button.dataset) add(button);
  else remove(button);
  soon();
});
form.addEventListener("submit", (event) => {
  // To determine needs no new page.
  if (event.submitter?.name === "do") return;
  event.preventDefault();
  clearTimeout(waiting);
  send();
});

// ------------------------------------------------------------------ a file

const paste = form.querySelector(".paste");
const text = document.getElementById("text");
const picker = document.getElementById("file");
const formats = { jsonld: "jsonld", nt: "ntriples" };

async function take(file) {
  const told = document.getElementById("text--slips");
  told.textContent = "";
  if (file.size > MOST) {
    told.textContent = `The file has more than ${MOST / 2 ** 20} MiB; send less, or use kb validate.`;
    return;
  }
  text.value = await file.text();
  document.getElementById("format").value = formats[file.name.split(".").pop().toLowerCase()] ?? "";
  form.requestSubmit(paste.querySelector('[value="read"]'));
}

for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
picker.addEventListener("change", () => picker.files[0] && take(picker.files[0]));
// A file that is dropped anywhere on the page is read, never opened in its place.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  const [file] = event.dataTransfer.files;
  if (!file) return;
  event.preventDefault();
  paste.open = true;
  take(file);
});
