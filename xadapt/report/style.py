"""The look of the page: two palettes and one style sheet.

Colours are Okabe and Ito's set for all kinds of colour vision (Okabe & Ito 2008, "Color Universal
Design"), darkened or lightened where a paper needs it. No colour carries a meaning alone.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "panel": "#eff2f5",
    "ink": "#1b1f24",
    "soft": "#55606b",
    "line": "#d3d9df",
    "module": "#0072b2",
    "control": "#7f8892",
    "wrong": "#b84a00",
    "series-1": "#d55e00",
    "series-2": "#00855f",
    "series-3": "#a8478a",
    "series-4": "#8a6d00",
}
DARK = {
    "paper": "#14181d",
    "panel": "#1d2229",
    "ink": "#e8ecf0",
    "soft": "#a6b0ba",
    "line": "#39424c",
    "module": "#56b4e9",
    "control": "#87919b",
    "wrong": "#f09a5c",
    "series-1": "#f0883e",
    "series-2": "#35c497",
    "series-3": "#dc8fc0",
    "series-4": "#d9bf3f",
}
# a page may load nothing from outside, and no script, for any text on the page
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# the order of drawing; the sum of the objectives comes first, in the colour of the text
SERIES = ("module", "series-1", "series-2", "series-3", "series-4")

RULES = """
* { box-sizing: border-box }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; text-size-adjust: 100% }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  sans-serif; overflow-wrap: break-word }
h1 { margin: 0 0 .75rem; font-size: 1.05rem; font-weight: 600; color: var(--soft) }
h2 { margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-size: 1.3rem; line-height: 1.25 }
h3 { margin: 1.75rem 0 .5rem; font-size: 1rem }
p { margin: .5rem 0 }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em }
small, .soft { color: var(--soft); font-size: .875rem }
.headline { margin: .4rem 0; font-size: 1.35rem; line-height: 1.35; font-weight: 600;
  text-wrap: pretty }
.headlines .headline { font-size: 1.1rem }
.whole { white-space: nowrap }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr));
  gap: .75rem 1.25rem; margin: 1.5rem 0 0; padding: .9rem 1rem; background: var(--panel);
  border-radius: .5rem }
.facts dt { color: var(--soft); font-size: .8rem }
.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr));
  gap: 1.5rem 2.5rem }
figure { margin: 0; min-width: 0; max-width: 36rem; break-inside: avoid }
figcaption { margin-bottom: .4rem; font-weight: 600; font-size: .95rem }
figure svg { display: block; width: 100%; height: auto }
figure svg text { font-family: inherit !important }
.bars { list-style: none; margin: 0; padding: 0 }
.bars li { display: grid; grid-template-columns: minmax(6rem, 9.5rem) minmax(5rem, 1fr) 7.2rem;
  gap: 0 .6rem; align-items: center; padding: .22rem 0; font-size: .875rem; line-height: 1.25 }
.track { position: relative; height: 1.15rem; background: var(--panel) }
.bar { position: absolute; inset: 0 auto 0 0; background: var(--control) }
.range { position: absolute; top: calc(50% - 1px); height: 2px; background: var(--ink);
  box-shadow: 0 0 0 1px var(--paper) }
.number { font-variant-numeric: tabular-nums; white-space: nowrap }
.is-module .bar { background: var(--module) }
.number b { font-weight: 400 }
.number small { margin-left: .25em }
.is-module .name, .is-module .number b { font-weight: 700 }
dd, .examples td { overflow-wrap: anywhere }
.examples { width: 100%; table-layout: fixed; border-collapse: collapse; font-size: .92rem }
.examples th { text-align: left; font-weight: 400; color: var(--soft); font-size: .8rem }
.examples th, .examples td { padding: .35rem .75rem .35rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); width: 33.3% }
.lead { max-width: 46rem; margin: 0 0 1rem }
.steps dt { margin-top: .8rem }
.steps dd { margin: 0 }
.mark { font-weight: 700; margin-right: .35em }
.right .mark { color: var(--module) }
.wrong .mark { color: var(--wrong) }
pre { margin: .5rem 0; padding: .8rem 1rem; background: var(--panel); border-radius: .5rem;
  font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere }
li + li { margin-top: .3rem }
.bars li + li { margin-top: 0 }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media (max-width: 34rem) {
  .headline { font-size: 1.15rem }
  .bars li { grid-template-columns: minmax(0, 1fr) 7.2rem }
  .bars .name { grid-column: 1 / -1 }
  .examples thead { display: none }
  .examples tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line) }
  .examples td { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr); width: auto;
    border: 0; padding: .1rem 0 }
  .examples td::before { content: attr(data-column); color: var(--soft); font-size: .8rem }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  h2, h3 { break-after: avoid }
  tr, pre, .bars li { break-inside: avoid }
}
"""


def style_sheet() -> str:
    """Return the style sheet: light by default and on paper, dark if the reader prefers dark."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"
    return f":root {{ {_variables(LIGHT)} }}\n{dark}\n{RULES.strip()}\n"


def variable(name: str) -> str:
    """Return the CSS expression for a colour of the palette."""
    return f"var(--{name})"


def _variables(palette: dict[str, str]) -> str:
    return "; ".join(f"--{name}: {value}" for name, value in palette.items())
