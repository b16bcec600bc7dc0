"""ML-CTL: sentences and words contrasted by CZ-NCE, against InfoNCE and sentences alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.contract import Experiment, Place, Variant
from experiments.shared import (
    controls,
    dictionary_file,
    parallel_files,
    retrieval,
    words_alike,
)

LANG, PAIRS = "de", 3000


class MlCtl(Experiment):
    """German with English."""

    system, against, main = "ML-CTL", "translation ranking", "de to en"
    about = (
        f"German, {PAIRS:,} pairs, of which those with a word of the dictionary are learnt from; "
        "retrieval among 500 Tatoeba pairs that no training sentence equals, the module on both "
        "sides; `words` is how much nearer (cosine) words of the dictionary are to their "
        "translation than to the other words of its sentence."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """The system, its two ablations, translation ranking, and the controls."""
        files, lang = parallel_files(place, LANG, PAIRS), {"lang": LANG}
        both = {"train": files["train"], "dictionary": dictionary_file(place, LANG)}
        return [
            Variant("ML-CTL", "ml_ctl", both, (), lang),
            Variant("InfoNCE", "ml_ctl", both, ("objectives.ml_ctl.loss_form=info_nce",), lang),
            Variant("without words", "ml_ctl", both, ("objectives.ml_ctl.words=false",), lang),
            Variant("translation ranking", "translation_ranking", files["train"], (), lang),
            *controls(place, "ml_ctl", files, LANG, both),
        ]

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Retrieval and the likeness of words."""
        test = parallel_files(place, LANG, PAIRS)["test"]
        words = {"words": words_alike(place, module, test, LANG)}
        return {**retrieval(place, module, test, LANG), **words}


EXPERIMENT = MlCtl()
