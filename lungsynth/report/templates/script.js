// Outlines on and off, light and dark, the wiper, the enlarged picture. The page reads well without any of it.
(() => {
  const root = document.documentElement;
  const outlines = document.getElementById("outlines");
  outlines.addEventListener("click", () => {
    const hidden = root.classList.toggle("no-outlines");
    outlines.setAttribute("aria-pressed", String(!hidden));
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  for (const stage of document.querySelectorAll(".stage:has(input)")) {
    const range = stage.querySelector("input");
    const cut = () => stage.style.setProperty("--cut", `${range.value}%`);
    range.addEventListener("input", cut);
    cut();
  }
  const wipers = [...document.querySelectorAll(".wiper")];
  const picks = [...document.querySelectorAll(".picks button")];
  picks.forEach((pick, chosen) => pick.addEventListener("click", () => {
    wipers.forEach((wiper, index) => { wiper.hidden = index !== chosen; });
    picks.forEach((other, index) => other.setAttribute("aria-pressed", String(index === chosen)));
  }));
  const large = document.getElementById("large");
  for (const button of document.querySelectorAll(".ct")) {
    button.addEventListener("click", () => {
      const copy = button.cloneNode(true);
      copy.tabIndex = -1;
      for (const words of copy.querySelectorAll(".scale-text")) {
        words.setAttribute("font-size", words.getAttribute("font-size") * 0.55);
      }
      large.querySelector("div").replaceChildren(copy);
      const caption = button.closest("figure")?.querySelector("figcaption")?.textContent;
      large.querySelector("p").textContent = caption || button.querySelector("img").alt;
      large.showModal();
    });
  }
  large.addEventListener("click", () => large.close());
  document.getElementById("close").addEventListener("click", () => large.close());
})();
