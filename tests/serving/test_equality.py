"""Mixed requests in any batches give the vectors of the library; OpenAI's own client reads them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_folders import manifest_of
from tiny_models import TEXTS
from tiny_training import shaken

pytest.importorskip("fastapi")

from tiny_server import Running, Shop, make_shop, running, settings_for

from xadapt.data.records import ParallelPair
from xadapt.hub.folder import write_folder
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.own_vocabulary import vocabulary_from

MODELS = ("base", "de", "sw", "fr", "de + sw", "mix(de:.7, fr:.3)", "fr + de")
WORDS = " ".join(TEXTS).split()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), "xlmr")


@pytest.fixture(scope="module")
def there(shop: Shop) -> Iterator[Running]:
    with running(settings_for(shop, "de", "sw", "fr", max_batch_tokens=600)) as server:
        yield server


def requests(count: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.choice([1, 2, 5, 20, 90])))[: rng.randint(1, 400)]

    return [(rng.choice(MODELS), [text() for _ in range(rng.choice([1, 1, 3, 9]))])
            for _ in range(count)]  # fmt: skip


def test_mixed_requests_equal_the_library(there: Running, shop: Shop) -> None:
    home = AdaptedEncoder.open(
        shop.encoder, "de", {name: str(shop.folders[name]) for name in ("de", "sw", "fr")}
    )
    asked = requests(120)
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda one: there.vectors(*one), asked))
    batches = there.client.get("/metrics").text
    assert 'xadapt_batch_rows_bucket{le="1.0"}' in batches
    rows = value(batches, "xadapt_batch_rows_sum") / value(batches, "xadapt_batch_rows_count")
    assert rows > 1.5  # they did share forwards
    for model in MODELS:
        own = [i for i, (name, _) in enumerate(asked) if name == model]
        texts = [text for i in own for text in asked[i][1]]
        wanted = home.with_("none" if model == "base" else model).encode(texts)
        np.testing.assert_allclose(
            [vector for i in own for vector in found[i]],
            wanted,
            rtol=0,
            atol=1e-5 * max(1.0, np.abs(wanted).max()),
        )


def value(text: str, name: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(line.split()[-1])


def test_the_client_of_openai_reads_vectors_and_errors(there: Running, shop: Shop) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{there.url}/v1", api_key="none", max_retries=0)
    home = AdaptedEncoder.open(shop.encoder, "sw", {"sw": str(shop.folders["sw"])})
    made = client.embeddings.create(model="sw", input=list(TEXTS))
    wanted = home.encode(list(TEXTS))
    np.testing.assert_allclose([row.embedding for row in made.data], wanted, rtol=0, atol=1e-5)
    floats = client.embeddings.create(model="sw", input=TEXTS[0], encoding_format="float")
    np.testing.assert_allclose(floats.data[0].embedding, wanted[0], rtol=0, atol=1e-5)
    assert made.usage.total_tokens > len(TEXTS) and made.model == "sw"
    assert {"base", "auto", "de"} <= {model.id for model in client.models.list()}
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.embeddings.create(model="nothing", input="x")
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="sw", input=[])
    assert caught.value.param == "input" and caught.value.code == "invalid_value"


RUSSIAN = ["кошка сидит на ковре", "собака в саду", "кошка и собака", "сад и ковёр", "кошка " * 60]


@pytest.fixture(scope="module")
def with_russian(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same with a module that has a vocabulary of its own."""
    rows = [ParallelPair(text, "the cat sat on the mat", "ru") for text in RUSSIAN[:4] * 4]
    options = {"size": 60, "module": {"kind": "lora", "rank": 2}}
    module = shaken(vocabulary_from(options, shop.encoder, rows), 1, 0.1)
    base = {"model_type": "xlm-roberta", "fingerprint": shop.encoder.identity.to_dict()}
    made = manifest_of(shop.encoder, module, base=base, languages=["ru"])
    folder = tmp_path_factory.mktemp("vocabulary") / "ru"
    write_folder(folder, module, shop.encoder, made, verify={})
    return Shop(shop.base, shop.encoder, {**shop.folders, "ru": folder})


def test_a_vocabulary_of_its_own_is_served_beside_other_modules(with_russian: Shop) -> None:
    """Requests of several languages and models share forwards, and each is read as the library."""
    names = ("de", "sw", "ru")
    home = AdaptedEncoder.open(
        with_russian.encoder, "de", {name: str(with_russian.folders[name]) for name in names}
    )
    texts = [*RUSSIAN, *TEXTS[:4]]
    asked = [(model, language) for model in ("ru", "ru + de", "de", "base", "sw")
             for language in (None, "ru", "en")] * 4  # fmt: skip
    settings = settings_for(with_russian, *names, max_batch_tokens=600, max_wait_ms=5.0)
    with running(settings) as server, ThreadPoolExecutor(12) as threads:
        found = list(
            threads.map(
                lambda one: server.vectors(
                    one[0], texts, **({} if one[1] is None else {"language": one[1]})
                ),
                asked,
            )
        )
        pairs = server.post("/v1/embeddings", {"model": "ru", "input": [[5, 6, 7]]})
    assert pairs.status_code == 400 and "vocabulary" in pairs.text
    with pytest.warns(UserWarning, match="cut"):
        for (model, language), vectors in zip(asked, found, strict=True):
            one = home.with_("none" if model == "base" else model)
            wanted = one.encode(texts) if language is None else one.encode(texts, language)
            size = max(1.0, np.abs(wanted).max())
            np.testing.assert_allclose(vectors, wanted, rtol=0, atol=1e-5 * size)
    plain = np.asarray(found[0])
    assert (
        np.abs(plain[:4] - np.asarray(found[9])[:4]).max() > 1e-3
    )  # the base reads them otherwise
