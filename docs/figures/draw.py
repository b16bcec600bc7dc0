"""Draw the figures of the concepts: ``python docs/figures/draw.py`` writes five SVG files."""

from __future__ import annotations

from html import escape
from pathlib import Path

HERE = Path(__file__).parent
FROZEN, TRAINED, DATA, LINE, INK = "#dfe7f1", "#ffd9b3", "#ffffff", "#5b6b80", "#1b2733"
STYLE = f"""
text {{ font: 15px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: {INK} }}
.small {{ font-size: 13px; fill: #44536a }}
.code {{ font: 13px ui-monospace, 'DejaVu Sans Mono', monospace }}
.bold {{ font-weight: 600 }}
"""


class Figure:
    """Boxes, arrows and text on a white ground."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size, self.title, self.parts = (width, height), title, []

    def box(
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        lines: str = "",
        fill: str = DATA,
        style: str = "",
    ) -> None:
        """A box with lines of text in its middle; ``style`` is a class of the text."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" fill="{fill}" '
            f'stroke="{LINE}"/>'
        )
        rows = lines.split("\n") if lines else []
        top = y + height / 2 - 10 * (len(rows) - 1) + 5
        for number, row in enumerate(rows):
            self.text(x + width // 2, int(top + 20 * number), row, style, "middle")

    def text(self, x: int, y: int, words: str, style: str = "", anchor: str = "start") -> None:
        """One line of text."""
        named = f' class="{style}"' if style else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}"{named} xml:space="preserve">'
            f"{escape(words)}</text>"
        )

    def arrow(self, *points: tuple[int, int], dashed: bool = False) -> None:
        """A line through points with a head at its end."""
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="1.6"{dash} '
            'marker-end="url(#head)"/>'
        )

    def svg(self) -> str:
        """The file."""
        width, height = self.size
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n"
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker>'
            f'</defs>\n<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>\n'
            f"{body}\n</svg>\n"
        )


def record() -> Figure:
    """A line of a file becomes a typed row."""
    figure = Figure(720, 210, "A reader makes typed records of a file")
    figure.text(30, 38, "a file", "bold")
    figure.box(30, 55, 280, 120)
    figure.text(45, 88, "Good morning ⇥ Habari za asubuhi", "small")
    figure.text(45, 118, "Thank you ⇥ Asante", "small")
    figure.text(45, 148, "…", "small")
    figure.arrow((318, 115), (400, 115))
    figure.text(359, 103, "reader", "small", "middle")
    figure.text(410, 38, "records", "bold")
    for row, (pivot, text) in enumerate(
        (("Good morning", "Habari za asubuhi"), ("Thank you", "Asante"))
    ):
        top = 50 + 66 * row
        figure.box(410, top, 285, 56)
        figure.text(424, top + 22, "ParallelPair", "code bold")
        figure.text(424, top + 43, f"{text} | {pivot} | sw", "small")
    figure.text(410, 196, "each remembers its line: pairs.tsv:1", "small")
    return figure


def objective() -> Figure:
    """Records become views, views become one loss a record."""
    figure = Figure(760, 250, "An objective makes views of records, and losses of encoded views")
    figure.box(20, 90, 110, 60, "records")
    figure.arrow((130, 105), (170, 60), (205, 60))
    figure.arrow((130, 135), (170, 180), (205, 180))
    figure.box(205, 30, 160, 60, "view: text\nrows to encode")
    figure.box(205, 150, 160, 60, "view: pivot\nrows to encode")
    figure.arrow((365, 60), (410, 60))
    figure.arrow((365, 180), (410, 180))
    figure.box(410, 30, 160, 60, "frozen base", FROZEN)
    figure.box(420, 70, 140, 28, "+ module", TRAINED)
    figure.box(410, 150, 160, 60, "frozen base", FROZEN)
    figure.text(490, 232, "encoded once, then looked up", "small", "middle")
    figure.arrow((570, 60), (605, 60), (625, 95))
    figure.arrow((570, 180), (605, 180), (625, 145))
    figure.box(610, 95, 130, 50, "one loss\na record")
    figure.text(285, 122, "views(records)", "code", "middle")
    figure.text(675, 205, "loss(text, pivot)", "code", "middle")
    return figure


def module() -> Figure:
    """Low-rank matrices at named sites of a layer."""
    figure = Figure(760, 260, "A module adds to the output of named sites of a frozen layer")
    figure.box(20, 20, 500, 220, "", FROZEN)
    figure.text(36, 46, "one frozen layer of the encoder", "small")
    for number, site in enumerate(("q", "k", "v")):
        figure.box(45, 65 + 58 * number, 90, 44, site, style="code")
    figure.box(180, 102, 100, 84, "attention")
    for top in (87, 145, 203):
        figure.arrow((135, top), (158, top), (180, 144))
    figure.arrow((280, 144), (310, 144))
    figure.box(310, 122, 90, 44, "attn_out", style="code")
    figure.arrow((400, 144), (424, 144))
    figure.box(424, 65, 80, 44, "ffn_in", style="code")
    figure.box(424, 180, 80, 44, "ffn_out", style="code")
    figure.arrow((424, 144), (424, 109))
    figure.arrow((464, 109), (464, 180))
    figure.arrow((504, 202), (535, 202))
    figure.box(560, 40, 180, 74, "LoRA at a site\nh + (α/r)·B·A·x", TRAINED)
    figure.arrow((560, 77), (508, 84), dashed=True)
    figure.text(560, 142, "B = 0 at birth: no effect", "small")
    figure.text(560, 164, "before it is trained", "small")
    figure.text(560, 212, "to the next layer", "small")
    return figure


def composition() -> Figure:
    """Rows of one batch, each with modules of its own."""
    figure = Figure(760, 270, "A composition says which modules act on which row of a batch")
    figure.text(20, 32, "one batch", "bold")
    figure.text(265, 32, "what acts on the row", "bold")
    figure.text(600, 32, "one forward", "bold")
    rows = (
        ("Habari za asubuhi  (sw)", "sw + ner", TRAINED),
        ("Guten Morgen  (de)", "mix(de:.7, nl:.3)", TRAINED),
        ("Good morning  (en)", "none", FROZEN),
    )
    for number, (text, acts, fill) in enumerate(rows):
        top = 50 + 66 * number
        figure.box(20, top, 205, 48, text)
        figure.arrow((225, top + 24), (265, top + 24))
        figure.box(265, top, 250, 48, acts, fill, "code")
        figure.arrow((515, top + 24), (600, top + 24))
    figure.box(
        600,
        50,
        140,
        180,
        "frozen base\n\nthe vectors of\neach row are\nthose it gets\nalone",
        FROZEN,
    )
    figure.text(20, 256, "by_language(sw = sw + ner, de = mix(de:.7, nl:.3), * = none)", "code")
    return figure


def recipe() -> Figure:
    """One file describes a run; the run writes one folder."""
    figure = Figure(760, 260, "A recipe and data become a folder")
    figure.text(20, 32, "recipe (YAML)", "bold")
    figure.box(20, 45, 230, 190)
    lines = ("source: paper, scores", "module: {kind: lora}", "objectives: [...]")
    lines += ("data: reader, transforms", "train: epochs, rate", "seed: 0")
    for number, line in enumerate(lines):
        figure.text(36, 75 + 28 * number, line, "code")
    figure.box(300, 30, 150, 50, "your data")
    figure.box(300, 200, 150, 44, "frozen base", FROZEN)
    figure.box(300, 110, 150, 60, "xadapt train", TRAINED, "code")
    figure.arrow((250, 140), (300, 140))
    figure.arrow((375, 80), (375, 110))
    figure.arrow((375, 200), (375, 170))
    figure.arrow((450, 140), (500, 140))
    figure.text(500, 32, "folder", "bold")
    figure.box(500, 45, 240, 190)
    lines = ("module.safetensors", "xadapt.json", "README.md (card)", "files of adapters, peft,")
    lines += ("transformers and", "sentence-transformers")
    for number, line in enumerate(lines):
        figure.text(516, 75 + 28 * number, line, "code" if number < 3 else "small")
    return figure


FIGURES = {f.__name__: f for f in (record, objective, module, composition, recipe)}


def main() -> None:
    """Write every figure beside this file."""
    for name, draw in FIGURES.items():
        (HERE / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
