"""Text to text: a source is read, and a target is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.records import TextToText
from xadapt.objectives.contract import Loss, TargetLosses, TargetView
from xadapt.objectives.target_loss import target_loss


@dataclass(frozen=True)
class TextToTextLoss:
    """Cross-entropy of the tokens of a target, given its source; the mean over tokens.

    Labelling, projection of labels by type slots, and any other task whose answer is a text.

    Source: T5, Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 2.4.

    Attributes:
        prompt: Text before every source, which says what to do; the same in use.
    """

    prompt: str = ""

    consumes: ClassVar[type] = TextToText
    source: ClassVar[str] = "https://arxiv.org/abs/1910.10683"
    coupled: ClassVar[bool] = False
    backbone: ClassVar[str] = "seq2seq"

    def views(
        self,
        records: Sequence[TextToText],
        tokenize_sources: Callable[..., Any],
        tokenize_targets: Callable[..., Any],
    ) -> dict[str, Any]:
        """Build the view of sources and targets."""
        langs = [r.lang for r in records]
        sources = tokenize_sources([self.prompt + r.source for r in records], langs, langs)
        targets = tokenize_targets([r.target for r in records], langs)
        return {"written": TargetView(sources, targets, langs=langs)}

    def loss(self, written: TargetLosses) -> Loss:
        """Compute each record's mean loss over the tokens of its target, weighted by number."""
        return target_loss(written)


Part = TextToTextLoss
