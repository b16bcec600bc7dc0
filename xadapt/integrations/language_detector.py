"""Language of a text with a confidence, by py3langid.

Source: Lui and Baldwin 2012, langid.py: An Off-the-shelf Language Identification Tool,
https://aclanthology.org/P12-3005; its 97 languages, in the maintained package py3langid.
"""

from __future__ import annotations

from xadapt.core.errors import missing_extra
from xadapt.languages.tags import is_tag, normalise

MAX_CHARACTERS = 2000
"""How much of a text is read."""


class LanguageDetector:
    """A detector of 97 languages; the confidence is a probability over them.

    Raises:
        UserError: If py3langid is not installed.
    """

    def __init__(self) -> None:
        try:
            from py3langid.langid import MODEL_FILE, LanguageIdentifier
        except ModuleNotFoundError:
            raise missing_extra("py3langid", "serve") from None
        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def detect(self, text: str) -> tuple[str, float]:
        """Return the language of a text and the confidence, from 0 to 1.

        Args:
            text: Any text; its first 2,000 characters are read. A text without letters has a
                confidence near 0.

        Returns:
            A BCP-47 tag and the confidence.
        """
        tag, confidence = self._identifier.classify(text[:MAX_CHARACTERS])
        return _tag(str(tag)), float(confidence)


def _tag(code: str) -> str:
    return normalise(code) if is_tag(code) else code
