// The query editor: YASGUI's editor and result view on the form of the page. Without it, the form asks by itself.
"use strict";

(() => {
  const form = document.getElementById("ask");
  const area = document.getElementById("text");
  const reads = document.getElementById("reads");
  const link = document.getElementById("link");
  const run = document.getElementById("run");
  const said = document.getElementById("said");
  const result = document.getElementById("result");
  const LIMIT = 60;
  let known = { base: "", prefixes: JSON.parse(form.dataset.prefixes), terms: [] };
  let running = null;
  // Asked for at once, and waited for where terms are needed. Without an answer, the prefixes of the page are left.
  const loaded = fetch("/query/terms.json").then(async (answer) => {
    if (answer.ok) known = await answer.json();
  }).catch(() => {});

  // ------------------------------------------------------------------ the editor

  // The result view would keep the widths of its columns.
  Object.defineProperty(window, "sessionStorage", { value: {} });

  // What the editor knows to complete: terms by how a query writes them, or by their names in words. What it comes with
  // asks servers on the web, and keeps what they say.
  Yasqe.defaults.autocompleters = ["variables"];
  Yasqe.registerAutocompleter({
    name: "terms",
    bulk: false,
    autoShow: false,
    isValidCompletionPosition: (shown) => !/^[?$]/.test(shown.getCompleteToken().string),
    get: async (shown, token) => {
      await loaded;
      const [prefix, local] = token.string.trim().toLowerCase().split(":");
      const fits = (term) => {
        const [own, rest] = term.name.toLowerCase().split(":");
        if (local !== undefined) return own === prefix && (rest.includes(local) || term.label.toLowerCase().includes(local));
        return own.startsWith(prefix) || rest.includes(prefix) || term.label.toLowerCase().includes(prefix);
      };
      return known.terms.filter(fits).slice(0, LIMIT).map((term) => term.name);
    },
    postprocessHints: (shown, hints) => hints.map((hint) => {
      const term = known.terms.find((candidate) => candidate.name === hint.text);
      return { ...hint, displayText: `${term.name}   ${term.label}${term.kind ? ` (${term.kind})` : ""}` };
    }),
  });

  const place = document.createElement("div");
  area.before(place);
  area.hidden = true;
  const editor = new Yasqe(place, {
    value: area.value,
    // Nothing is kept in the browser, and nothing is asked of another server.
    persistenceId: null,
    createShareableLink: null,
    consumeShareLink: null,
    showQueryButton: false,
    resizeable: false,
    editorHeight: "auto",
    lineWrapping: true,
    // Tab leaves the editor, as it does every other field.
    extraKeys: {
      "Tab": false,
      "Shift-Tab": false,
      "Ctrl-Space": (shown) => shown.autocomplete(),
      "Ctrl-Enter": () => ask(),
      "Cmd-Enter": () => ask(),
      "Ctrl-/": (shown) => shown.commentLines(),
    },
  });
  editor.getInputField().setAttribute("aria-label", "Query");
  // Every prefix of the table counts as declared.
  const mode = editor.getMode();
  const begin = mode.startState;
  mode.startState = (...given) => Object.assign(begin(...given), { prefixes: { ...known.prefixes } });
  editor.setValue(area.value);

  // ------------------------------------------------------------------ the result

  const table = document.createElement("div");
  result.append(table);
  const view = new Yasr(table, { persistenceId: null, prefixes: () => known.prefixes, pluginOrder: ["table", "response", "boolean", "error"] });

  // What is ours has a page here.
  const local = (iri) => `/${iri.slice(known.base.length).replace("#", "/")}${form.dataset.on ? `?on=${form.dataset.on}` : ""}`;
  new MutationObserver(() => {
    for (const found of table.querySelectorAll("a[href]")) {
      if (known.base && found.getAttribute("href").startsWith(known.base)) {
        found.href = local(found.getAttribute("href"));
        found.removeAttribute("target");
      }
    }
  }).observe(table, { childList: true, subtree: true });

  const say = (lines, wrong) => {
    said.replaceChildren(...lines.map((line) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = line;
      paragraph.className = wrong ? "alert" : "quiet";
      return paragraph;
    }));
  };

  const endpoint = () => {
    if (reads.value === "all") return "/sparql?all=true";
    if (reads.value) return `/${reads.value}/sparql`;
    return form.dataset.on ? `/sparql?on=${form.dataset.on}` : "/sparql";
  };

  // What turns the direction of a line is replaced, as in every page; in JSON it can be written as an escape.
  const OBEYED = /[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\x7f-\x9f]/g;
  const ESCAPED = /(?<!\\)((?:\\\\)*)\\u(?:061c|200e|200f|2028|2029|202[a-e]|206[6-9]|007f|00[89][0-9a-f])/gi;
  const printable = (text) => text.replace(OBEYED, "\ufffd").replace(ESCAPED, "$1\ufffd");

  async function ask() {
    if (running) {
      running.abort();
      return;
    }
    running = new AbortController();
    run.textContent = "Stop";
    say(["…"], false);
    const started = performance.now();
    try {
      const answer = await fetch(endpoint(), {
        method: "POST",
        body: editor.getValue(),
        signal: running.signal,
        headers: {
          "Content-Type": "application/sparql-query",
          Accept: "application/sparql-results+json, text/turtle;q=0.9, application/problem+json;q=0.1",
        },
      });
      const data = await answer.text();
      await loaded;
      if (!answer.ok) {
        say([JSON.parse(data).detail], true);
        table.hidden = true;
        return;
      }
      const type = answer.headers.get("Content-Type");
      const notes = type.includes("json") ? JSON.parse(data).notes || [] : [];
      const cut = answer.headers.get("Answer-Incomplete");
      say(notes.filter((note) => note !== cut), false);
      if (cut) {
        const warning = document.createElement("p");
        warning.className = "alert";
        warning.textContent = `This is not the whole answer: ${cut}.`;
        said.prepend(warning);
      }
      table.hidden = false;
      view.setResponse({ data: printable(data), contentType: type, status: answer.status, executionTime: Math.round(performance.now() - started) });
    } catch (error) {
      table.hidden = true;
      say([error.name === "AbortError" ? "The query was ended." : "The workbench does not answer."], true);
    } finally {
      running = null;
      run.textContent = "Run";
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });

  // ------------------------------------------------------------------ the query in the address

  // After "#", which a browser sends to no server.
  const show = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("query")) editor.setValue(given.get("query"));
    if (given.has("query")) reads.value = given.get("reads") || "";
    // A default graph that is none.
    if (reads.selectedIndex < 0) reads.value = "";
  };
  const relink = () => {
    const carried = `query=${encodeURIComponent(editor.getValue())}${reads.value ? `&reads=${encodeURIComponent(reads.value)}` : ""}`;
    link.href = `${location.pathname}${location.search}#${carried}`;
  };
  link.hidden = false;
  show();
  relink();
  window.addEventListener("hashchange", show);
  editor.on("change", relink);
  reads.addEventListener("change", relink);

  // Another day keeps what is written.
  document.querySelector("form.day").addEventListener("submit", (event) => {
    event.preventDefault();
    location.href = `${location.pathname}?on=${event.target.elements.on.value}${new URL(link.href).hash}`;
  });
})();
