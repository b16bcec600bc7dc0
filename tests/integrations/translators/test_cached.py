"""The cache of translations: each text once, keyed by what decides the translation."""

from __future__ import annotations

import threading

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.translators.cached import AT_ONCE, FILE, CachedTranslator


class Upper:
    """Writes texts in capitals, and counts."""

    def __init__(self, version: str = "1") -> None:
        self.facts = {"translator": "upper", "version": version}
        self.seen: list[str] = []

    def translate(self, texts, source, target):
        self.seen += texts
        return [f"{target}:{text.upper()}" for text in texts]


def test_a_text_is_translated_once(tmp_path):
    upper = Upper()
    cached = CachedTranslator(upper, tmp_path)
    assert cached.translate(["a", "b", "a"], "en", "de") == ["de:A", "de:B", "de:A"]
    again = CachedTranslator(upper, tmp_path)
    assert again.translate(["b", "c"], "en", "de") == ["de:B", "de:C"]
    assert upper.seen == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["version", "source", "target"])
def test_another_version_or_language_is_translated_anew(tmp_path, change):
    CachedTranslator(Upper(), tmp_path).translate(["a"], "en", "de")
    other = Upper("2" if change == "version" else "1")
    languages = {"version": ("en", "de"), "source": ("fr", "de"), "target": ("en", "es")}[change]
    CachedTranslator(other, tmp_path).translate(["a"], *languages)
    assert other.seen == ["a"]


def test_work_that_is_cut_goes_on(tmp_path):
    class Cut(Upper):
        def translate(self, texts, source, target):
            if self.seen:
                raise KeyboardInterrupt
            return super().translate(texts, source, target)

    texts = [f"text {i}" for i in range(AT_ONCE + 5)]
    cut = Cut()
    with pytest.raises(KeyboardInterrupt):
        CachedTranslator(cut, tmp_path).translate(texts, "en", "de")
    rest = Upper()
    done: list[int] = []
    found = CachedTranslator(rest, tmp_path, done.append).translate(texts, "en", "de")
    assert rest.seen == texts[AT_ONCE:]
    assert found == [f"de:{text.upper()}" for text in texts]
    assert done == [AT_ONCE, 5]


def test_threads_share_a_cache(tmp_path):
    found: dict[int, list[str]] = {}

    def work(number: int) -> None:
        texts = [f"{i}" for i in range(number, number + 40)]
        found[number] = CachedTranslator(Upper(), tmp_path).translate(texts, "en", "de")

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: own[0] for n, own in found.items()} == {0: "de:0", 20: "de:20", 30: "de:30"}
    assert all(len(own) == 40 for own in found.values())


def test_too_few_translations_are_refused_and_not_kept(tmp_path):
    class Short(Upper):
        def translate(self, texts, source, target):
            return super().translate(texts, source, target)[1:]

    with pytest.raises(UserError, match="gave 1 translations for 2 texts"):
        CachedTranslator(Short(), tmp_path).translate(["a", "b"], "en", "de")
    upper = Upper()
    CachedTranslator(upper, tmp_path).translate(["a", "b"], "en", "de")
    assert upper.seen == ["a", "b"]


def test_a_broken_cache_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="can't be used") as error:
        CachedTranslator(Upper(), tmp_path)
    assert FILE in str(error.value)
