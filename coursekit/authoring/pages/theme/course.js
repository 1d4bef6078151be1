// A button at the top of a notebook's page: everything, or its core only. The choice is kept for the other pages.
document.addEventListener("DOMContentLoaded", () => {
  const title = document.querySelector("article h1");
  const deeper = [...document.querySelectorAll("article section")].filter((section) =>
    /^\d+\. Deeper: /.test(section.querySelector("h2")?.textContent ?? ""));
  if (!title || deeper.length === 0) return;

  const ids = new Set(deeper.flatMap((section) => [section, ...section.querySelectorAll("[id]")]).map((one) => one.id));
  const entries = [...document.querySelectorAll(".bd-sidebar-secondary a")].filter((link) =>
    ids.has(decodeURIComponent(link.hash.slice(1))));
  const button = document.createElement("button");
  button.type = "button";
  button.className = "view btn btn-sm btn-outline-primary";
  title.after(button);

  const show = (core) => {
    deeper.forEach((section) => (section.hidden = core));
    entries.forEach((link) => (link.closest("li").hidden = core));
    button.textContent = core ? "Show everything" : "Show the core only";
    button.setAttribute("aria-pressed", core);
  };
  const wanted = () => ids.has(decodeURIComponent(location.hash.slice(1)));
  const kept = () => { try { return localStorage.getItem("view") === "core"; } catch { return false; } };
  const keep = (core) => { try { localStorage.setItem("view", core ? "core" : "all"); } catch { /* a private window */ } };

  button.addEventListener("click", () => {
    const core = button.getAttribute("aria-pressed") !== "true";
    show(core);
    keep(core);
  });
  window.addEventListener("hashchange", () => {
    if (!wanted()) return;
    show(false); // a link leads into a section that is hidden
    document.getElementById(decodeURIComponent(location.hash.slice(1))).scrollIntoView();
  });
  show(kept() && !wanted());
});
