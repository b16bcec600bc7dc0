"""DAP: translation ranking with representation translation learning, against ranking alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.contract import MINI, Experiment, Place, Variant
from experiments.shared import controls, parallel_files, retrieval, words_alike

LANG, PAIRS = "de", 2000


class Dap(Experiment):
    """German with English; MiniLM has no masked-LM head and can't carry it."""

    system, against, main = "DAP", "translation ranking", "de to en"
    bases = (MINI,)
    about = (
        f"German, {PAIRS:,} pairs, retrieval among 500 Tatoeba pairs that no training sentence "
        "equals, the module on both sides; `words` is how much nearer (cosine) words of a "
        "dictionary are to their translation than to the other words of its sentence."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """Ranking alone, both weights, partly shown English, and the controls."""
        files = parallel_files(place, LANG, PAIRS)
        lang = {"lang": LANG}
        second = "objectives.representation_translation"
        return [
            Variant("translation ranking", "translation_ranking", files["train"], (), lang),
            Variant("DAP", "dap", files["train"], (), lang),
            Variant("DAP, weight 1", "dap", files["train"], (f"{second}.weight=1",), lang),
            Variant("DAP, weight 1, half of English shown", "dap", files["train"],
                    (f"{second}.weight=1", f"{second}.masked=0.5"), lang),
            *controls(place, "dap", files, LANG),
        ]  # fmt: skip

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Retrieval and the likeness of words."""
        test = parallel_files(place, LANG, PAIRS)["test"]
        words = {"words": words_alike(place, module, test, LANG)}
        return {**retrieval(place, module, test, LANG), **words}


EXPERIMENT = Dap()
