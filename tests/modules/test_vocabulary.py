import pytest
import torch
from safetensors.torch import load_file
from tiny_models import TEXTS, VOCAB, tiny_encoder
from tiny_training import digest, forward, hooks_do_nothing, module_for, shaken

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encode import encode, token_states
from xadapt.composition.composed import Composed
from xadapt.composition.soup import soup
from xadapt.composition.text import parse
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.fallback_language import FallbackLanguages
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import embedding_table, model_shape
from xadapt.modules.storage import build, load_module, save_module
from xadapt.objectives.contract import EncodeView
from xadapt.pipelines.own_vocabulary import vocabulary_from
from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Forward, Request

HINDI = ["बिल्ली चटाई पर बैठी है", "कुत्ता बगीचे में है", "बिल्ली और कुत्ता"]
RUSSIAN = ["кошка сидит на ковре", "собака в саду", "кошка и собака"]
ENGLISH = list(TEXTS[:2])
INNER = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "none": {"kind": "none"},
}


def pairs(texts, lang="hi"):
    return [ParallelPair(text, ENGLISH[i % 2], lang) for i, text in enumerate(texts * 4)]


def made(encoder, texts=HINDI, inner="lora", **options):
    given = {"size": 60, "module": INNER[inner], **options}
    return vocabulary_from(given, encoder, pairs(texts))


def rows_of(encoder, module, texts):
    own = module.vocabulary
    return [list(row) for row in own(texts)["input_ids"]]


@pytest.mark.parametrize("family", ["bert", "xlmr", "deberta-v3", "modernbert", "t5"])
def test_own_pieces_have_own_rows_and_special_tokens_are_the_base_s(family):
    encoder = tiny_encoder(family)
    module = shaken(made(encoder, inner="none"))
    before = digest(encoder.model)
    [row] = rows_of(encoder, module, HINDI[:1])
    assert row[0] == encoder.tokenizer.cls_token_id and row[-1] == encoder.tokenizer.sep_token_id
    assert all(VOCAB <= i < VOCAB + module.options.pieces for i in row[1:-1])
    tokens, mask = encoder.batch([row])
    forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module))).sum().backward()
    used = module.own.rows.grad.abs().sum(1) > 0
    assert {VOCAB + i for i in used.nonzero().flatten().tolist()} == set(row[1:-1])
    assert digest(encoder.model) == before and hooks_do_nothing(encoder)


def test_a_piece_with_the_vector_of_a_known_word_is_that_word():
    encoder = tiny_encoder()
    module = made(encoder, inner="none")
    [row] = rows_of(encoder, module, HINDI[:1])
    known = [3, *[7 + i for i in range(len(row) - 2)], 3]
    with torch.no_grad():
        for own, other in zip(row[1:-1], known[1:-1], strict=True):
            module.own.rows[own - VOCAB] = embedding_table(encoder).weight[other]
    row[0], row[-1] = 3, 3
    acts = Activation.of(ActiveAdapter(encoder, module))
    found = forward(encoder, *encoder.batch([row]), acts)
    assert torch.allclose(found, forward(encoder, *encoder.batch([known])), atol=1e-6)


def test_rows_of_one_batch_are_read_by_their_own_tokenizers_exactly():
    """Hindi, Russian, bare and LoRA rows in one batch equal separate runs."""
    encoder = tiny_encoder()
    modules = {
        "hi": shaken(made(encoder), 1, 0.1),
        "ru": shaken(made(encoder, RUSSIAN, "bottleneck"), 2, 0.1),
        "de": shaken(module_for(encoder), 3, 0.1),
    }
    adapted = AdaptedEncoder(encoder, modules)
    texts = [*HINDI, *RUSSIAN, *TEXTS[2:5], *HINDI, *HINDI]
    langs = ["hi"] * 3 + ["ru"] * 3 + ["de"] * 3 + ["en"] * 3 + ["ru"] * 3
    mixed = adapted.encode(texts, langs, batch_size=len(texts))
    for text, lang, vector in zip(texts, langs, mixed, strict=True):
        alone = adapted.encode([text], [lang])[0]
        assert abs(vector - alone).max() < 1e-5
    bare = encode(encoder, HINDI).numpy()
    assert abs(mixed[9:12] - bare).max() < 1e-5
    assert abs(mixed[:3] - bare).min() > 0 and abs(mixed[12:] - mixed[:3]).max() > 1e-3


def test_a_text_that_the_base_spells_as_well_is_read_by_the_base():
    encoder = tiny_encoder()
    module = shaken(made(encoder, inner="none"))
    adapted = AdaptedEncoder(encoder, {"hi": module})
    one = adapted.with_(parse("hi"))
    assert (one.encode(ENGLISH) == encode(encoder, ENGLISH).numpy()).all()
    assert abs(one.encode(HINDI) - adapted.encode(HINDI, "hi")).max() < 1e-6


@pytest.mark.parametrize("acts_on", ["own", "all"])
def test_the_language_of_a_row_says_which_tokenizer_reads_it(acts_on):
    """English in a Hindi row is read by the vocabulary, and Hindi in an English row by the base.

    The inner module acts on the second only if it acts on all texts.
    """
    encoder = tiny_encoder()
    module = shaken(made(encoder, acts_on=acts_on), 1, 0.1)
    assert module.options.languages == ["hi"]
    adapted = AdaptedEncoder(encoder, {"hi": module})
    texts, rows = [ENGLISH[0], HINDI[0]] * 3, ["hi", "hi", "en", "en", None, "hin"]
    on = adapted.with_(parse("hi")).encode(texts, rows)
    acts = Activation.of(ActiveAdapter(encoder, module))
    ours, theirs = (
        [list(row) for row in one(texts)["input_ids"]]
        for one in (module.vocabulary, encoder.tokenizer)
    )
    read = [ours[0], ours[1], theirs[0], theirs[1], None, ours[1]]
    for vector, ids, text, tag in zip(on, read, texts, rows, strict=True):
        if ids is None or (acts_on == "own" and tag == "en"):
            wanted = encode(encoder, [text]).numpy()[0]
        else:
            tokens, mask = encoder.batch([ids])
            wanted = encoder.pool(forward(encoder, tokens, mask, acts), mask).detach().numpy()[0]
        assert abs(vector - wanted).max() < 1e-5, tag
    by_language = adapted.encode(texts[:4], rows[:4])
    assert abs(by_language[:2] - on[:2]).max() < 1e-6
    assert (by_language[2:] == encode(encoder, texts[2:4]).numpy()).all()


def test_ids_say_which_tokenizer_has_read_a_row():
    encoder = tiny_encoder()
    own = made(encoder).vocabulary
    both = {
        encoder.tokenizer.convert_tokens_to_ids(t) for t in encoder.tokenizer.all_special_tokens
    }
    assert own.shared == both
    for text in (HINDI[0], "बिल्ली zzz", "☃", ""):
        assert own.has_read(own([text])["input_ids"][0]), text
    for text in ENGLISH:
        assert not own.has_read(encoder.tokenizer([text])["input_ids"][0])
    special = encoder.tokenizer.mask_token_id
    assert own.has_read([special, VOCAB, 9]) and not own.has_read([special, 9, VOCAB])


@pytest.mark.parametrize("family", ["bert", "deberta-v3", "modernbert", "t5"])
@pytest.mark.parametrize("inner", ["lora", "bottleneck"])
def test_texts_that_the_vocabulary_does_not_read_are_the_base_s(family, inner):
    """Alone bitwise, and in a batch with texts that it reads up to rounding."""
    encoder = tiny_encoder(family)
    adapted = AdaptedEncoder(encoder, {"hi": shaken(made(encoder, inner=inner), 1, 0.1)})
    on = adapted.with_(parse("hi"))
    bare = encode(encoder, ENGLISH).numpy()
    assert (on.encode(ENGLISH) == bare).all()
    assert (on.encode(ENGLISH, ["en", "en"]) == bare).all()
    mixed = on.encode([HINDI[0], ENGLISH[0], HINDI[1], ENGLISH[1]], batch_size=4)
    assert abs(mixed[[1, 3]] - bare).max() < 1e-5 * max(1.0, abs(bare).max())
    alone = adapted.encode(HINDI[:2], "hi")
    assert abs(mixed[[0, 2]] - alone).max() < 1e-5 * max(1.0, abs(alone).max())
    assert abs(alone - encode(encoder, HINDI[:2]).numpy()).max() > 1e-3


def test_other_parts_of_a_stack_act_on_texts_that_the_vocabulary_does_not_read():
    encoder = tiny_encoder()
    modules = {"a": shaken(made(encoder), 1, 0.1), "b": shaken(module_for(encoder), 2, 0.1)}
    adapted = AdaptedEncoder(encoder, modules)
    for stack in ("a + b", "b + a"):
        mixed = adapted.with_(parse(stack)).encode([*ENGLISH, *HINDI], batch_size=5)
        other = adapted.with_(parse("b")).encode(ENGLISH)
        assert abs(mixed[:2] - other).max() < 1e-5
        assert abs(mixed[:2] - encode(encoder, ENGLISH).numpy()).max() > 1e-3
        alone = adapted.with_(parse(stack)).encode(HINDI)
        assert abs(mixed[2:] - alone).max() < 1e-5


@pytest.mark.parametrize("output", ["pooled", "states"])
@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_gradients_in_training_come_from_texts_that_the_vocabulary_reads(family, output):
    """A batch with English gives the gradient of the Hindi rows alone; English is constant."""
    encoder = tiny_encoder(family)
    module = shaken(made(encoder), 1, 0.1)
    active = ActiveModule(encoder, module)

    def run(texts):
        one = Forward(
            encoder, active, FrozenVectors(encoder, None), DistributedContext(cpu=True), 4096
        )
        module.zero_grad()
        found = one([Request(EncodeView(texts, output=output), False)])[0]
        return found if output == "pooled" else encoder.pool(found.hidden, found.mask)

    def grads():
        return torch.cat([p.grad.flatten() for p in module.parameters()])

    mixed = run([HINDI[0], ENGLISH[0], HINDI[1]])
    assert torch.allclose(mixed[1], encode(encoder, ENGLISH[:1])[0], atol=1e-5)
    mixed.square().sum().backward()
    found = grads()
    alone = run(HINDI[:2])
    assert torch.allclose(mixed[[0, 2]], alone, atol=1e-5)
    alone.square().sum().backward()
    assert (found - grads()).abs().max() < 1e-4 * grads().abs().max()
    assert not run(ENGLISH).requires_grad


def test_a_fallback_language_and_a_name_that_is_no_language_leave_it_to_the_text():
    own = shaken(made(tiny_encoder())).vocabulary
    assert own.for_language(None) is own and own.for_language("words!") is own
    assert own.for_language("en") is None and own.for_language("hin").by_text is False
    assert own.for_language("hi") is own.for_language("hi-Deva")
    encoder = tiny_encoder()
    module = shaken(made(encoder))
    adapted = AdaptedEncoder(encoder, {"hi": module}, fallbacks=FallbackLanguages(("hi",), ("en",)))
    rows = adapted.activations(3, ["mr", "hi", "en"])
    assert [one and one.by_text for one in rows.vocabularies()] == [True, False, None]


def test_it_stacks_with_other_modules_and_is_not_mixed():
    encoder = tiny_encoder()
    words, lora = shaken(made(encoder, inner="none"), 1), shaken(module_for(encoder), 2)
    adapted = AdaptedEncoder(encoder, {"a": words, "b": lora, "c": made(encoder, RUSSIAN)})
    both = adapted.with_(parse("a + b")).encode(HINDI)
    assert abs(both - adapted.with_(parse("a")).encode(HINDI)).max() > 1e-3
    assert abs(both - adapted.with_(parse("b")).encode(HINDI)).max() > 1e-3
    tokens = encoder.batch(rows_of(encoder, words, HINDI))
    whole = Composed(parse("a + b"), {"a": words, "b": lora})
    states = forward(encoder, *tokens, Activation.of(ActiveAdapter(encoder, whole)))
    assert abs(encoder.pool(states, tokens[1]).detach().numpy() - both).max() < 1e-5
    for wrong, said in (("a + c", "one tokenizer"), ("mix(a:.5, b:.5)", "new tokens")):
        with pytest.raises(UserError, match=said):
            adapted.with_(parse(wrong))


@pytest.mark.parametrize("rank", [None, 6])
@pytest.mark.parametrize("inner", INNER)
def test_saved_is_loaded(tmp_path, inner, rank):
    encoder = tiny_encoder()
    module = shaken(made(encoder, inner=inner, rank=rank))
    save_module(tmp_path / "m.safetensors", module)
    again = load_module(tmp_path / "m.safetensors", model_shape(encoder))
    assert digest(again) == digest(module) and again.options == module.options
    one, other = (AdaptedEncoder(encoder, {"hi": m}).encode(HINDI, "hi") for m in (module, again))
    assert (one == other).all()


def test_low_rank_rows_are_the_best_approximation():
    encoder = tiny_encoder()
    full, narrow = made(encoder), made(encoder, rank=4)
    wide = full.own.rows.detach()
    left, sizes, right = torch.linalg.svd(wide)
    best = left[:, :4] * sizes[:4] @ right[:4]
    assert torch.allclose(narrow.own.rows @ narrow.own.basis, best, atol=1e-5)
    ids = torch.tensor([[VOCAB, 5, VOCAB + 2]])
    assert torch.allclose(narrow.own(ids)[0, [0, 2]], best[[0, 2]], atol=1e-5)
    assert not narrow.own(ids)[0, 1].any()


def test_bf16_rows_are_stored_in_half_the_bytes_and_act_the_same_before_and_after(tmp_path):
    encoder = tiny_encoder()
    module = shaken(made(encoder, row_dtype="bfloat16"))
    acts = AdaptedEncoder(encoder, {"hi": module})
    vectors = acts.encode(HINDI, "hi")
    save_module(tmp_path / "m.safetensors", module)
    held = load_file(tmp_path / "m.safetensors")["own.rows"]
    assert held.dtype == torch.bfloat16 and module.own.rows.dtype == torch.float32
    assert module.options.row_bytes == held.numel() * 2
    again = load_module(tmp_path / "m.safetensors", model_shape(encoder))
    assert again.own.rows.dtype == torch.float32
    assert torch.equal(again.own.rows, module.own.rows.bfloat16().float())
    other = AdaptedEncoder(encoder, {"hi": again}).encode(HINDI, "hi")
    assert (vectors == other).all()
    save_module(tmp_path / "n.safetensors", again)
    one, two = ((tmp_path / f"{n}.safetensors").read_bytes() for n in "mn")
    assert one == two
    tokens, mask = encoder.batch(rows_of(encoder, module, HINDI))
    loss = forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, module))).sum()
    loss.backward()
    full = shaken(made(encoder))
    with torch.no_grad():
        full.own.rows.copy_(module.own.rows.bfloat16().float())
        full.inner.load_state_dict(module.inner.state_dict())
    forward(encoder, tokens, mask, Activation.of(ActiveAdapter(encoder, full))).sum().backward()
    assert torch.allclose(module.own.rows.grad, full.own.rows.grad, atol=1e-6)


def test_without_pieces_it_is_the_inner_module():
    encoder = tiny_encoder()
    module = shaken(build("vocabulary", {"module": INNER["lora"]}, model_shape(encoder)))
    assert module.vocabulary is None
    one, other = (
        AdaptedEncoder(encoder, {"de": m}).encode(ENGLISH, "de") for m in (module, module.inner)
    )
    assert (one == other).all()


def test_long_texts_are_read_whole_in_windows():
    encoder = tiny_encoder()
    adapted = AdaptedEncoder(encoder, {"hi": shaken(made(encoder, inner="none"))})
    long = " ".join(HINDI * 12)
    whole, first = (adapted.encode([long], "hi", windows=w) for w in ("mean", "first"))
    assert abs(whole - first).max() > 1e-4
    other = adapted.encode([long, *HINDI], ["hi", "en", "hi", "hi"], windows="mean")
    assert abs(other[0] - whole[0]).max() < 1e-5


def test_single_tokens_of_the_base_are_refused():
    encoder = tiny_encoder()
    acts = Activation.of(ActiveAdapter(encoder, made(encoder)))
    with pytest.raises(UserError, match="a vocabulary of its own"):
        list(token_states(encoder, encoder.tokenize(HINDI), rows=acts))


def test_a_mean_of_two_vocabularies_is_refused():
    encoder = tiny_encoder()
    one, other = made(encoder, inner="none"), made(encoder, inner="none")
    mean = soup(parse("mix(a:.5, b:.5)"), {"a": one, "b": other})
    assert digest(mean) == digest(one)
    other.tokenizer_json[5] += 1
    with pytest.raises(UserError, match="different vocabularies"):
        soup(parse("mix(a:.5, b:.5)"), {"a": one, "b": other})


def test_damaged_tokenizers_are_refused_in_one_line():
    encoder = tiny_encoder()
    for name, change, said in (
        ("tokenizer_json", lambda t: t.fill_(255), "no text"),
        ("tokenizer_json", lambda t: t.fill_(65), "no tokenizer"),
        ("ids", lambda t: t.fill_(0), "other pieces"),
        ("ids", lambda t: t.add_(1), "those of its rows"),
        ("ids", lambda t: t.sub_(900), "those of its rows|other pieces"),
    ):
        module = made(encoder)
        change(getattr(module, name))
        with pytest.raises(UserError, match=said) as fault:
            ActiveAdapter(encoder, module)
        assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"module": {"kind": "vocabulary"}}, "kind of a module for the layers"),
        ({"module": {"kind": "own_tokens"}}, "kind of a module for the layers"),
        ({"module": {"kind": "lorra"}}, "lorra"),
        ({"size": 0}, "size"),
        ({"size": 10**6}, "at most 200,000"),
        ({"start": "magic"}, "start"),
        ({"layers": [0, 1]}, "inner module"),
        ({"acts_on": "english"}, "acts_on"),
        ({"rank": 32}, "below the base's width, 32"),
        ({"tokenizer_bytes": 2**30}, "16 MiB"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    with pytest.raises(UserError, match=said):
        build("vocabulary", options, model_shape(tiny_encoder()))
