for (const plot of document.querySelectorAll(".plot")) {
  const told = plot.querySelector(".told");
  for (const mark of plot.querySelectorAll(".point")) {
    const tell = () => {
      told.textContent = mark.querySelector("title").textContent;
      told.classList.add("now");
    };
    for (const event of ["pointerenter", "click", "focus"]) mark.addEventListener(event, tell);
  }
}
// Folded parts are printed too, and a link into one opens it.
const folded = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...folded()];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
const reveal = () => {
  const part = location.hash && document.getElementById(location.hash.slice(1));
  const around = part && part.closest("details");
  if (around) { around.open = true; part.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
