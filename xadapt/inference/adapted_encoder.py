"""An encoder with modules and a composition of them: the object for use after training.

The file is long because this one object is what people load, use, save and pass to other libraries;
nearly all of its lines are the documentation of these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import dimension, encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.sbert_files import similarity_name
from xadapt.composition.by_language import choices, for_all, opened
from xadapt.composition.text import parse, show
from xadapt.composition.values import ANY, ARROW, ByLanguage, Composition, names
from xadapt.core.errors import UserError
from xadapt.core.notebook_progress import bar, step
from xadapt.core.registry import unknown
from xadapt.core.sequences import as_paths, as_tags, as_texts
from xadapt.functional import similarity as similarities
from xadapt.hub.base_mismatch import allowing_base_mismatch
from xadapt.hub.fetching import module_folder
from xadapt.hub.integrity import allowing_modified
from xadapt.inference import saving, summary
from xadapt.inference.composed_rows import ComposedRows, RowActivations, acts_alike
from xadapt.inference.concurrency import compute_slot
from xadapt.inference.encode_output import (
    VECTOR,
    EncodeOutput,
    require_device,
    require_positive,
)
from xadapt.inference.fallback_language import FallbackLanguages, fallback_languages
from xadapt.inference.find_base import base_and_modules
from xadapt.inference.locate import locate
from xadapt.inference.open_module import mismatches_of, open_module
from xadapt.inference.prompts import DOCUMENT, QUERY, choose_prompt, first_of, prompts_of
from xadapt.inference.row_assignment import (
    as_compositions,
    bare,
    by_names,
    choose,
    with_modules,
    with_one,
    without,
)
from xadapt.inference.shared_states import cache_within
from xadapt.languages.tags import is_tag

NO_FALLBACKS = FallbackLanguages()
Languages = str | Sequence[str | None] | None
"""One language tag for all texts, or one for each; ``None`` for a text means the bare base."""


class AdaptedEncoder:
    """A frozen encoder, modules by name, and a composition that selects the modules of a row.

    ```python
    model = AdaptedEncoder.from_pretrained("mini", "sw")  # a base, and folders or Hub ids
    vectors = model.encode(["Habari za asubuhi"], language="sw", normalize_embeddings=True)
    ```

    `encode` takes the options of sentence-transformers. The activation is passed to each forward
    and never stored on the encoder. Any number of threads may encode at once, on this object and on
    others around the same encoder.

    Args:
        encoder: The frozen encoder.
        modules: Modules by name.
        composition: Composition of these names. Without a composition, each module is for the
            language of its name, and the bare base encodes rows of other languages.
        fallbacks: Fallback languages for a language that the composition has no module for. A
            fallback is reported by a `FallbackLanguageWarning`.

    Attributes:
        published: By name, the folder and the manifest of each module that was loaded.
        evaluations: Results that evaluators of sentence-transformers stored here.

    Raises:
        UserError: If the composition names a module that is not there, or its parts can't act
            together.
    """

    def __init__(
        self,
        encoder: Encoder,
        modules: Mapping[str, nn.Module],
        composition: Composition = None,
        fallbacks: FallbackLanguages = NO_FALLBACKS,
    ) -> None:
        self.fallbacks = fallbacks
        self.encoder = encoder
        self.modules = {name: module.to(encoder.device) for name, module in modules.items()}
        self.published: dict[str, saving.Published] = {}
        self.evaluations: list[dict[str, Any]] = []
        self._similarity: str | None = None
        self._rows = ComposedRows(encoder)
        self._follows = composition is None
        composition = by_names(self.modules) if composition is None else composition
        self.composition = self._known(composition)

    @classmethod
    def from_pretrained(
        cls,
        base: str | Encoder | None = None,
        *modules: str | Path,
        compose: str | Composition = None,
        dtype: str = "auto",
        device: str = "auto",
        allow_modified: bool = False,
        allow_base_mismatch: bool = False,
        show: bool | None = None,
    ) -> AdaptedEncoder:
        """Load a base and published modules, each for the languages its manifest names.

        Without ``compose``, a language without a module is encoded by the module of a fallback
        language, of the same script and branch, if there is one. A language that modules are
        aligned to never has a fallback language.

        Args:
            base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``, or a loaded base. It may be
                omitted where the first module names a base that can be found: then modules stand
                alone, and so does a folder of `save_pretrained`.
            modules: Modules trained on this base: folders, or Hub ids (``org/name`` or
                ``org/name@revision``), which are fetched into the Hub's cache. A folder that exists
                wins. ``NAME=FOLDER`` gives a module a name.
            compose: A composition of the modules' names, or its text. A name that no module has is
                read as a folder or a Hub id; ``lang:TAG`` is the one module for that language.
            dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or
                ``nf4``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            allow_modified: Load folders that were modified after publication, with a notice.
            allow_base_mismatch: Load modules of another base whose shapes fit, with a notice. What
                is saved from this object states it; see `base_mismatch`.
            show: Whether to say on stderr what is loaded. ``None`` does so after two seconds, on a
                terminal or in a notebook.

        Raises:
            UserError: If a folder is no module, was modified after publication, or belongs to
                another base, if it is not clear which module is for a language, or if a module
                is neither a folder nor on the Hub.
        """
        given = [path for one in modules for path in as_paths(one)]
        with allowing_modified(allow_modified), allowing_base_mismatch(allow_base_mismatch):
            with step("finding the modules", show if given else None):
                if base is not None and not isinstance(base, Encoder):
                    [base] = as_paths([base])
                base, given = base_and_modules(base, given)
                composition, places = locate(given, compose)
            if isinstance(base, str):
                with step(f"loading the base {base}", show):
                    base = Encoder.from_pretrained(base, dtype=dtype, device=device)
            with step(f"loading {len(places)} modules", show) if places else nullcontext():
                adapted = cls.open(base, composition, places)
        if compose is None:
            adapted.fallbacks = fallback_languages(composition, places.values())
            adapted._follows = composition is None or isinstance(composition, ByLanguage)
        return adapted

    load = from_pretrained

    @classmethod
    def open(
        cls,
        base: str | Encoder,
        composition: Composition,
        places: Mapping[str, str],
        *,
        dtype: str = "auto",
        device: str = "auto",
    ) -> AdaptedEncoder:
        """Load a base, unless it is loaded already, and the modules of a composition by name.

        Args:
            base: As for `from_pretrained`.
            composition: The composition of the modules' names.
            places: The folder of each module by its name.
            dtype: As for `from_pretrained`.
            device: As for `from_pretrained`.

        Raises:
            UserError: If a folder is no module, or belongs to another base.
        """
        if isinstance(base, str):
            base = Encoder.from_pretrained(base, dtype=dtype, device=device)
        opened = {where: open_module(where, base) for where in dict.fromkeys(places.values())}
        modules = {name: opened[where][0] for name, where in places.items()}
        adapted = cls(base, modules, composition)
        adapted.published = {
            name: saving.Published(where, opened[where][1]) for name, where in places.items()
        }
        return adapted

    def with_(self, composition: str | Composition) -> AdaptedEncoder:
        """Return the same encoder and modules under another composition.

        Raises:
            UserError: If the composition is malformed, or names a module that is not there.
        """
        return self._under(parse(composition) if isinstance(composition, str) else composition)

    def _under(self, value: Composition) -> AdaptedEncoder:
        """Return the same under a composition; text is the name of a module, such as a folder's."""
        other = copy(self)
        other.fallbacks, other._follows, other.modules = NO_FALLBACKS, False, dict(self.modules)
        other.published, other.evaluations = dict(self.published), []
        other.composition = other._known(value)
        return other

    def for_language(self, language: str | None) -> AdaptedEncoder:
        """Return the same encoder and modules, where texts without a language have this one.

        Use it for libraries that call ``encode`` without a language.

        Args:
            language: The language; ``None`` gives the bare base.

        Raises:
            UserError: If this is no language tag.
        """
        tags = as_tags(language, 1) or [None]
        return self._under(choose(self.composition, self.fallbacks, 1, tags, None)[0])

    def add(
        self,
        name: str,
        module: nn.Module | str | Path,
        *,
        allow_modified: bool = False,
        allow_base_mismatch: bool = False,
    ) -> None:
        """Load one more module; the other modules do not change.

        Where only the modules determine their languages, the new module is for the languages of
        its manifest, or for the language of its name.

        Args:
            name: A name that no other module has.
            module: A module, or the folder or Hub id of one trained on this base.
            allow_modified: Load a folder that was modified after publication, with a notice.
            allow_base_mismatch: Load a module of another base, with a notice.

        Raises:
            UserError: If the name is taken, the folder is no module of this base or was modified
                after publication, or there is already a module for its language.
        """
        if name in self.modules or name in ("", ARROW):
            taken = f"there is a module named {name!r} already" if name in self.modules else ""
            raise UserError(
                taken or f"a module can't be named {name!r}", todo="Give it another name"
            )
        tags, fallbacks, published = [name], self.fallbacks, None
        if not isinstance(module, nn.Module):
            folder = module_folder(str(module))
            with allowing_modified(allow_modified), allowing_base_mismatch(allow_base_mismatch):
                module, manifest = open_module(folder, self.encoder)
            published = saving.Published(folder, manifest)
            tags, fallbacks = manifest.languages, fallbacks.and_(manifest)
        composition = self.composition
        if self._follows:
            composition = with_one(composition, name, tags)
        self.modules[name] = module.to(self.encoder.device)  # made before another thread needs it
        self.composition = composition
        if published is not None:
            self.published[name] = published
        if self._follows:
            self.fallbacks = fallbacks

    def remove(self, name: str) -> None:
        """Remove a module and free its memory.

        Raises:
            UserError: If no module has that name, or the composition names the module.
        """
        if name not in self.modules:
            raise UserError(f"there is no module named {name!r}")
        if self._follows:
            self.composition, self.fallbacks = without(self.composition, self.fallbacks, name)
        elif name in names(self.composition):
            raise UserError(
                f"the composition names {name!r}",
                where=show(self.composition),
                todo="Use another composition (with_) to remove it from",
            )
        self._rows.forget(self.modules.pop(name))
        self.published.pop(name, None)

    @contextmanager
    def merged(self, composition: str | Composition = None) -> Iterator[AdaptedEncoder]:
        """Merge LoRAs into the base's weights inside the block; a row then costs as in the base.

        Unchanged weights are shared. After the block the base is bitwise equal to the base
        before. Inside the block only this composition runs, on this object and on the yielded one.

        Args:
            composition: A LoRA, or a stack or fixed mixture of LoRAs. Without it, the composition
                of this object.

        Yields:
            The same encoder and modules under this composition.

        Raises:
            UserError: If the composition is none of these, or something is merged already.
        """
        value = parse(composition) if isinstance(composition, str) else composition
        one = self._under(for_all(self.composition if value is None else value))
        with self._rows.merged(one.composition, one.modules):
            yield one

    def encode(
        self,
        texts: str | Iterable[str] | None = None,
        languages: Languages = None,
        *,
        language: Languages = None,
        compositions: Composition | Sequence[Composition] = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        output_value: str | None = VECTOR,
        precision: str | None = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | torch.device | None = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        windows: str | None = None,
        batch_tokens: int = 4096,
        progress: Callable[[int], None] | None = None,
        cache: Kept | None = None,
        sentences: str | Iterable[str] | None = None,
        inputs: str | Iterable[str] | None = None,
    ) -> Any:
        """Encode texts into vectors, each by the part of the composition for its language.

        The options are those of ``SentenceTransformer.encode``, besides the language.

        Args:
            texts: Any number of texts, or one: a list, a tuple, an array, a column of pandas,
                polars or datasets.
            languages: A tag for each text, or one for all; ``None`` for a row means the bare base.
                ``languages`` may be left out where the composition is the same for all.
            language: The same as ``languages``, for a call with one tag.
            compositions: Another composition for each text, or one for all; ``None`` for a row
                means the base.
            prompt_name: Name of one of `prompts`. By default the base's default.
            prompt: A prompt before every text, in place of the base's; empty for none.
            batch_size: Number of texts in one forward. By default, ``batch_tokens`` decides.
            show_progress_bar: Whether to show a bar. ``None`` shows one for work of more than two
                seconds, on a terminal or in a notebook.
            output_value: ``sentence_embedding``; nothing else is supported.
            precision: ``float32``, or ``int8``, ``uint8``, ``binary`` or ``ubinary``: quantised by
                sentence-transformers.
            convert_to_numpy: Return an array; ``False`` returns a list of tensors.
            convert_to_tensor: Return one tensor.
            device: The device that the encoder is on; another one is refused (see `to`).
            normalize_embeddings: Scale each vector to length 1.
            truncate_dim: Keep only the first values of each vector.
            windows: What becomes of a text longer than `max_seq_length`: ``first`` cuts it (the
                default), with a warning that counts such texts; ``mean`` and ``max`` combine the
                vectors of its overlapping windows.
            batch_tokens: Largest number of padded tokens in one forward.
            progress: Called after each forward with the number of texts encoded.
            cache: States below the first module, shared by calls that read the same texts; made by
                `xadapt.inference.shared_states.shared_cache`.
            sentences: Another name of ``texts``.
            inputs: Another name of ``texts``.

        Returns:
            An array ``(n, dim)``, fp32, the same as if each composition had run apart; ``(dim,)``
            for one text that is given as a string.

        Raises:
            UserError: If the lists differ in length, a text is none, languages are needed and not
                given, an option is unknown or not supported, or a vector is not finite. The error
                names the composition of that vector.
        """
        texts = _only("texts", texts=texts, sentences=sentences, inputs=inputs)
        tags = _only("languages", languages=languages, language=language)
        given = as_texts([texts] if isinstance(texts, str) else texts)  # type: ignore[list-item]
        output = EncodeOutput(
            output_value,
            precision,
            convert_to_numpy,
            convert_to_tensor,
            normalize_embeddings,
            truncate_dim,
        )
        require_device(device, self.device)
        size = None if batch_size is None else require_positive("batch_size", batch_size)
        named = {} if prompt_name is None or prompt is not None else self.prompts
        encoder = self.encoder.adjusted(
            prompt=choose_prompt(named, prompt_name, prompt), windows=windows
        )
        show = False if progress is not None and show_progress_bar is None else show_progress_bar
        with compute_slot(), bar("Encoding", len(given), show, " texts") as count:
            chosen = as_compositions(compositions, len(given))
            if cache is None:
                cache = cache_within(self, given, chosen)
            rows = self.activations(len(given), tags, chosen, cache)
            with rows.named():
                vectors = encode(
                    encoder,
                    given,
                    batch_tokens=batch_tokens,
                    batch_size=size,
                    rows=rows,
                    progress=_both(progress, count),
                ).numpy()
        found = output.finish(vectors, self.device)
        return found[0] if isinstance(texts, str) else found

    def encode_query(
        self, texts: str | Iterable[str], languages: Languages = None, **options: Any
    ) -> Any:
        """Encode queries, with the base's prompt of the name ``query`` if it has one.

        Args:
            texts: As for `encode`.
            languages: As for `encode`.
            **options: As for `encode`.

        Raises:
            UserError: As for `encode`.
        """
        return self._encode_with(QUERY, texts, languages, options)

    def encode_document(
        self, texts: str | Iterable[str], languages: Languages = None, **options: Any
    ) -> Any:
        """Encode documents, with the base's prompt ``document``, ``passage`` or ``corpus``, if any.

        Args:
            texts: As for `encode`.
            languages: As for `encode`.
            **options: As for `encode`.

        Raises:
            UserError: As for `encode`.
        """
        return self._encode_with(DOCUMENT, texts, languages, options)

    def similarity(self, a: Any, b: Any) -> Tensor:
        """Compute the similarity of every vector of ``a`` with every vector of ``b``.

        Args:
            a: Vectors ``(n, dim)``, or one of shape ``(dim,)``: what `encode` returns.
            b: Vectors ``(m, dim)``, or one.

        Returns:
            Similarities ``(n, m)``, fp32, by the function that `similarity_fn_name` names.

        Raises:
            UserError: If these are no vectors, or of different dimensions.
        """
        return similarities.similarity(a, b, self.similarity_fn_name)

    def similarity_pairwise(self, a: Any, b: Any) -> Tensor:
        """Compute the similarity of the vectors of ``a`` and ``b`` row by row, ``(n,)``.

        Args:
            a: Vectors ``(n, dim)``.
            b: Vectors ``(n, dim)``.

        Raises:
            UserError: As for `similarity`, or if the numbers of rows differ.
        """
        return similarities.similarity_pairwise(a, b, self.similarity_fn_name)

    @property
    def similarity_fn_name(self) -> str:
        """The similarity of the base's own files: by default ``cosine``.

        Others are ``dot``, ``euclidean`` and ``manhattan``; distances are negated.
        """
        if self._similarity is None:
            self._similarity = similarity_name(self.encoder.source)
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: str) -> None:
        if name not in similarities.NAMES:
            raise UserError(unknown("similarity", str(name), similarities.NAMES))
        self._similarity = name

    @property
    def prompts(self) -> dict[str, str]:
        """The prompts by name: the base's own, and those that the modules were trained with."""
        used = {
            n: self.published[n].manifest for n in names(self.composition) if n in self.published
        }
        return prompts_of(self.encoder.pooling.prompts, used)

    @property
    def base_mismatch(self) -> list[str]:
        """One line for each module that was trained on another base; empty unless it was allowed.

        Everything that is saved from this object states these lines.
        """
        return mismatches_of((one.manifest for one in self.published.values()), self.encoder)

    @property
    def tokenizer(self) -> Any:
        """The base's tokenizer."""
        return self.encoder.tokenizer

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the base's states; vectors are fp32."""
        return self.encoder.dtype

    @property
    def device(self) -> torch.device:
        """The device of the base and its modules."""
        return self.encoder.device

    @property
    def max_seq_length(self) -> int:
        """Maximum number of tokens of a text, with special tokens; see ``windows`` of `encode`.

        A new value holds for this object alone.
        """
        return self.encoder.max_length

    @max_seq_length.setter
    def max_seq_length(self, tokens: int) -> None:
        limit = self.encoder.longest
        if require_positive("max_seq_length", tokens) > limit:
            raise UserError(f"max_seq_length is {tokens}, and the base can read {limit} tokens")
        self.encoder = self.encoder.adjusted(max_length=int(tokens))

    def get_sentence_embedding_dimension(self) -> int:
        """Return the number of values of a vector."""
        return dimension(self.encoder)

    def get_embedding_dimension(self) -> int:
        """Return the number of values of a vector: the newer name in sentence-transformers."""
        return dimension(self.encoder)

    def to(self, device: str | torch.device) -> AdaptedEncoder:
        """Move the base and the modules to a device.

        Everything around the same base moves with it. No other thread may encode meanwhile.

        Args:
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Returns:
            This object.

        Raises:
            UserError: If there is no such device, or the base is quantised.
        """
        self.encoder.to(device)
        for module in self.modules.values():
            module.to(self.device)
        self._rows.clear()
        return self

    def save_pretrained(self, path: str | Path, *, base: str | None = None) -> Path:
        """Save the composition and its modules as a folder that `from_pretrained` loads alone.

        See `xadapt.inference.saving.save`. The base is named, not copied.

        Args:
            path: The folder to make. A folder that was saved before, and not changed since, is
                replaced; any other folder with content is refused.
            base: The base that the folder names. By default its Hub id, its package, or the name
                of a base that comes with xadapt; never a path of this machine.

        Returns:
            The folder.

        Raises:
            UserError: If the folder has other content, or can't be written.
        """
        return saving.save(self, path, base)

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool = False,
        commit_message: str | None = None,
        revision: str | None = None,
        token: str | None = None,
    ) -> str:
        """Save the encoder as `save_pretrained` does, and upload the folder as one commit.

        Args:
            repo: Hub id, ``org/name``; the repository is created if it is absent.
            private: Whether a new repository is private.
            commit_message: Message of the commit.
            revision: Branch to commit to; by default ``main``.
            token: A token that may write; by default that of ``hf auth login``.

        Returns:
            The address of the commit.

        Raises:
            UserError: If the id is malformed, the token is missing or may not write, or the Hub
                can't be reached.
        """
        return saving.push(
            self,
            repo,
            private=private,
            commit_message=commit_message,
            revision=revision,
            token=token,
        )

    def to_sentence_transformer(self, language: str | None = None) -> Any:
        """Make a ``SentenceTransformer`` with the same vectors, to 1e-5 in fp32.

        The modules are merged into a copy of the base's weights. So only the bare base, LoRAs, and
        stacks and fixed mixtures of LoRAs can be held. A vocabulary becomes the model's tokenizer
        and table: the model then reads every text as `encode` reads texts in that language.

        Args:
            language: The language whose module is merged, where several modules are loaded.

        Returns:
            A ``sentence_transformers.SentenceTransformer`` on the same device, in fp32.

        Raises:
            UserError: If sentence-transformers can't hold the composition or the base, the language
                is not clear, or sentence-transformers is not installed.
        """
        from xadapt.inference.as_sentence_transformer import convert

        one = self if language is None else self.for_language(language)
        encoder = one.encoder.adjusted(prompts=one.prompts)
        return convert(encoder, for_all(one.composition), one.modules)

    @property
    def model_card_data(self) -> _Evaluations:
        """Where evaluators of sentence-transformers store their results: `evaluations`."""
        return _Evaluations(self)

    def __repr__(self) -> str:
        return summary.as_text(self)

    def _repr_html_(self) -> str:
        return summary.as_html(self)

    def activations(
        self,
        n: int,
        languages: str | Sequence[str | None] | None = None,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> RowActivations:
        """Return the activations of ``n`` rows, for functions of `xadapt.backbones.encoder.encode`.

        Args:
            n: Number of rows.
            languages: As for `encode`.
            compositions: As for `encode`.
            cache: As for `encode`.

        Returns:
            A callable from the positions of the rows of one forward to its activation.

        Raises:
            UserError: As for `encode`.
        """
        tags, own = as_tags(languages, n), as_compositions(compositions, n)
        chosen = choose(self.composition, self.fallbacks, n, tags, own)
        known = tags if own is not None else with_modules(self.composition, tags)
        return self._rows.activations(chosen, self.modules, cache, known)

    def bare(self, languages: str | Sequence[str | None]) -> list[str]:
        """Return the languages for which some part of the composition has no module."""
        return bare(self.composition, [languages] if isinstance(languages, str) else languages)

    def notices(self, languages: str | Sequence[str | None]) -> list[str]:
        """Return one line for each language without a module, for people to read."""
        return [self.fallbacks.notice(tag) for tag in self.bare(languages)]

    def prove(self) -> None:
        """Prepare every composition that a row can have, once.

        Raises:
            UserError: If one of these compositions can't run.
        """
        for composition in opened(self.composition):
            self._rows.make(composition, self.modules)

    def _known(self, composition: Composition) -> Composition:
        missing = [name for name in names(composition) if name not in self.modules]
        if missing:
            raise UserError(
                f"the composition names {missing[0]!r}, and there is no such module",
                todo=f"There are {', '.join(self.modules) or 'none'}",
            )
        tags = [tag for one in choices(composition) for tag, _ in one.parts if tag != ANY]
        if not all(map(is_tag, tags)):  # chosen by name: each module acts alone
            return composition
        for own in opened(composition):  # what can't act together is refused here, by name
            if own is not None and not (isinstance(own, str) and acts_alike(self.modules[own])):
                self._rows.make(own, self.modules)
        return composition

    def _encode_with(
        self, names: tuple[str, ...], texts: Any, languages: Languages, options: dict[str, Any]
    ) -> Any:
        """Encode with the first prompt of some names, unless the options name another."""
        if options.get("prompt") is None and options.get("prompt_name") is None:
            options = {**options, "prompt_name": first_of(names, self.prompts)}
        return self.encode(texts, languages, **options)


class _Evaluations:
    """The part of a model card that evaluators of sentence-transformers write to."""

    def __init__(self, owner: AdaptedEncoder) -> None:
        self._owner = owner

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, Any], epoch: int = 0, step: int = 0
    ) -> None:
        """Store the results of one evaluator."""
        self._owner.evaluations.append({"evaluator": type(evaluator).__name__, **metrics})


def _only(name: str, **given: Any) -> Any:
    """Return the one argument of several names for the same that is given.

    Raises:
        UserError: If several are given.
    """
    found = [key for key, value in given.items() if value is not None]
    if len(found) > 1:
        raise UserError(f"{found[0]} and {found[1]} are the same: give one of them", where=name)
    return given[found[0]] if found else None


def _both(
    first: Callable[[int], None] | None, second: Callable[[int], None]
) -> Callable[[int], None]:
    """Return a function that calls both."""

    def call(count: int) -> None:
        if first is not None:
            first(count)
        second(count)

    return call
