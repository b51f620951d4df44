// The search of a site without a server: what kb_tools/serve/index.py does, in the browser.
"use strict";

(function () {
  const MOST = 60, NONE = 9;
  const CODE = /^[a-z]\d[0-9a-z](\.[0-9a-z]{1,4})?$/;

  function folded(text) {
    const letters = text.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "");
    return letters.replace(/[^\p{L}\p{N}.]+/gu, " ").split(" ").map((word) => word.replace(/^\.+|\.+$/g, "")).filter(Boolean).join(" ");
  }

  function matching(entries, query) {
    const wanted = folded(query), words = wanted.split(" ");
    if (!wanted) return [];
    const categories = CODE.test(wanted) ? Array.from({ length: wanted.length - 3 }, (_, i) => wanted.slice(0, i + 3)) : [];
    function grade(said) {
      if (said.names.includes(wanted)) return 0;
      if (categories.some((category) => said.names.includes(category))) return 1;
      if (words.every((word) => said.names.some((name) => name.includes(word)))) return 2;
      return words.every((word) => said.words.includes(word)) ? 3 : NONE;
    }
    function fitting(entry) {
      const own = grade(entry);
      const [other, grades] = entry.others.reduce((best, next) => (grade(next) < best[1] ? [next, grade(next)] : best), [null, own]);
      if (!other) return { grade: own, after: entry.stated ? 1 : 0, entry, note: "" };
      return { grade: grades, after: 2, entry, note: other.notation === wanted ? other.place : other.wording };
    }
    return entries.map(fitting).filter((hit) => hit.grade !== NONE).sort((a, b) => a.grade - b.grade || a.after - b.after);
  }

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  }

  const query = new URLSearchParams(location.search).get("q") || "";
  const list = document.querySelector("[data-search]");
  document.getElementById("find").value = query;
  const found = matching(searchIndex, query);
  for (const { entry, note } of found.slice(0, MOST)) {
    const item = document.createElement("li"), line = document.createElement("p"), link = document.createElement("a");
    link.href = "../" + entry.at.split("/").map(encodeURIComponent).join("/");
    if (entry.notation) link.append(element("span", "notation", entry.notation), " ");
    link.append(entry.label);
    line.append(link, " ", element("span", "tag", entry.kind));
    item.append(line);
    const notes = [note, entry.stated].filter(Boolean);
    if (notes.length) item.append(element("p", "notice", notes.join("; ")));
    if (entry.text) item.append(element("p", "quiet", entry.text.length > 180 ? entry.text.slice(0, 177) + "…" : entry.text));
    list.append(item);
  }
  document.querySelector("[data-search-none]").hidden = !query || found.length > 0;
})();
