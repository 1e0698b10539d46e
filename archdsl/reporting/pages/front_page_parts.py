"""The fixed parts of the page of a front: its frame, its style, its script."""

from __future__ import annotations

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="$generator">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
"""

PAGE = f"""{HEAD}<main>
<h1>$title</h1>
$picture
<p class="note">$note</p>
<p class="note">In brackets: the 95&nbsp;% interval of the value before them.</p>
$front
$rest
</main>
<script>$script</script>
</body>
</html>
"""

# In the dark the picture is turned over: lightness reversed, hues kept.
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --quiet: #59636e; --line: #d1d9e0;
  --ground: #ffffff; --front: #0072b2; --base: #b34e00; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --quiet: #9198a1; --line: #3d444d; --ground: #14171c;
    --front: #6cb6e8; --base: #ff9b5e; }
  .plot svg { filter: invert(1) hue-rotate(180deg); }
}
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0.5rem 0; overflow-wrap: anywhere; }
.note { color: var(--quiet); font-size: 0.9rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
figure { margin: 0; }
.plot svg { display: block; width: 100%; min-width: 36rem; height: auto; }
.told { min-height: 3em; max-height: 9em; overflow-y: auto; overflow-wrap: anywhere;
  font-size: 0.95rem; color: var(--quiet); }
.told.now { color: var(--ink); }
.scroll { overflow-x: auto; }
.point { cursor: pointer; outline: none; }
.point:hover, .point:focus { filter: drop-shadow(0 0 1px var(--ink))
  drop-shadow(0 0 3px var(--ink)); }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.6rem;
  border-top: 1px solid var(--line); }
td > div, th > div { max-height: 20em; overflow-y: auto; overflow-wrap: anywhere;
  min-width: 5rem; }
tr.member th { color: var(--front); }
tr.base th { color: var(--base); }
summary { cursor: pointer; padding: 0.5rem 0; }
"""

SCRIPT = """
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
"""
