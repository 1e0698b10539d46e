"""The fixed parts of a report: its frame, its style on screens and on paper, its script."""

from __future__ import annotations

from archdsl.reporting.pages.front_page_parts import HEAD
from archdsl.reporting.pages.front_page_parts import SCRIPT as MARKS
from archdsl.reporting.pages.front_page_parts import STYLE as BASIC

FRAME = f"""{HEAD}<a class="skip" href="#main">To the report</a>
<header>
<h1>$title</h1>
$about
<nav aria-label="Parts of this report"><ul>$links</ul></nav>
</header>
<main id="main">
$body
</main>
<footer>$footer</footer>
<script>$script</script>
</body>
</html>
"""

STYLE = (
    BASIC
    + """
main { max-width: 66rem; }
header, footer { max-width: 66rem; margin: 0 auto; padding: 1rem 1rem 0; }
footer { color: var(--quiet); font-size: 0.85rem; padding-bottom: 2rem; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; display: block; padding: 0.5rem 1rem; }
a { color: var(--front); }
:focus-visible { outline: 2px solid var(--front); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; list-style: none; padding: 0;
  margin: 0.75rem 0; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
h2 { font-size: 1.2rem; margin: 1rem 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 0.75rem 0 0.25rem; }
h4 { font-size: 0.95rem; margin: 0.5rem 0 0; }
h2, h3, h4, summary, caption, footer { overflow-wrap: anywhere; }
p { margin: 0.4rem 0; max-width: 46rem; overflow-wrap: anywhere; }
section > p { max-height: 20em; overflow-y: auto; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 0.1rem 1rem;
  margin: 0.5rem 0; font-size: 0.92rem; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; max-height: 9em; overflow-y: auto; }
summary h3 { display: inline; }
summary span { color: var(--quiet); font-size: 0.9rem; }
details.member { border: 1px solid var(--line); border-radius: 6px; padding: 0 0.9rem;
  margin: 0.75rem 0; }
.card { padding-bottom: 0.75rem; scroll-margin-top: 4rem; }
.drawing svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
@media (min-width: 52rem) {
  .card { display: grid; grid-template-columns: 1fr minmax(18rem, 26rem); gap: 1rem; }
}
td { white-space: nowrap; }
td > div { white-space: normal; min-width: 7rem; }
td:last-child > div { min-width: 14rem; }
tbody th { white-space: nowrap; }
th > div { white-space: normal; min-width: 10rem; }
.difference { max-height: 20em; overflow-y: auto; }
.learning { max-width: 22rem; }
.learning figcaption { color: var(--quiet); font-size: 0.85rem; }
.curve { display: block; width: 100%; height: auto; }
.curve text { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.curve polyline { fill: none; stroke: var(--front); stroke-width: 2; }
.curve circle { fill: var(--front); }
.curve .frame { fill: none; stroke: var(--line); }
.share { display: inline-block; min-width: 4rem; }
.track { display: block; background: var(--line); height: 0.5rem; border-radius: 2px;
  min-width: 5rem; }
.bar { display: block; background: var(--front); height: 0.5rem; border-radius: 2px; }
@media screen and (max-width: 38rem) {
  /* A plot is never narrower than this; a table is shaded where it goes on. */
  .plot .scroll::before { content: "scroll sideways →"; position: sticky; left: 0;
    color: var(--quiet); font-size: 0.85rem; }
  .scroll { background:
    linear-gradient(to left, var(--ground) 1rem, transparent) right / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--quiet), transparent) right / 0.7rem 100% no-repeat scroll; }
}
@media (max-width: 36rem) {
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 0.35rem; }
  td:last-child > div { min-width: 20rem; }
}
@media print {
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding: 0; }
  nav, .skip, .told, .point title { display: none; }
  .plot svg { min-width: 0; max-height: 24cm; }
  td { white-space: normal; }
  td > div, td:last-child > div, th > div { min-width: 0; }
  td:last-child { min-width: 5cm; }
  .card { display: grid; grid-template-columns: 1fr 8.5cm; gap: 0.5cm; }
  .plot, .member, tr, .learning { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .scroll, td > div, th > div, dd, p, .difference { overflow: visible;
    max-height: none !important; }
  a { color: inherit; text-decoration: none; }
  .bar, .track { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
)

# Folded parts are printed too, and a link into one opens it.
SCRIPT = (
    MARKS
    + """
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
"""
)
