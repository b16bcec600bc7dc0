"""Bodies of requests: their fields, and one line for what is wrong in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from xadapt.serving.errors import RequestError

MAX_MODEL = 4000
"""The longest name of a model, in characters; it may be the text of a composition."""

Model = Annotated[str, Field(min_length=1, max_length=MAX_MODEL)]
Ids = list[StrictInt]
Language = Annotated[str, Field(max_length=60)]


class Body(BaseModel):
    """A body; fields that are not known are ignored, as OpenAI's clients send several."""

    model_config = ConfigDict(extra="ignore")


class EmbeddingBody(Body):
    """The body of ``POST /v1/embeddings``.

    Attributes:
        model: ``base``, a module, a named composition, the text of one, or ``auto``.
        input: A text, texts, token ids of one text, or token ids of several.
        encoding_format: ``float`` or ``base64`` (little-endian float32).
        dimensions: Keep only the first values; for modules that were trained for it.
        language: Language of the texts, for a composition that chooses by it.
        prompt_name: The prompt to put before each text, such as ``query``.
    """

    model: Model | None = None
    input: StrictStr | list[StrictStr] | Ids | list[Ids]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[StrictInt, Field(ge=1)] | None = None
    language: Language | None = None
    prompt_name: Annotated[str, Field(max_length=200)] | None = None


class EmbedBody(Body):
    """The body of ``POST /embed``, as in text-embeddings-inference.

    Attributes:
        inputs: A text, texts, token ids of one text, or token ids of several.
        normalize: Whether each vector is divided by its norm.
        truncate: Whether a longer text is cut; ``False`` refuses it.
        dimensions: As in `EmbeddingBody`.
        prompt_name: As in `EmbeddingBody`.
        model: As in `EmbeddingBody`.
        language: As in `EmbeddingBody`.
    """

    inputs: StrictStr | list[StrictStr] | Ids | list[Ids]
    normalize: bool = True
    truncate: bool | None = None
    dimensions: Annotated[StrictInt, Field(ge=1)] | None = None
    prompt_name: Annotated[str, Field(max_length=200)] | None = None
    model: Model | None = None
    language: Language | None = None


class ClassifyBody(Body):
    """The body of ``POST /classify``: texts, or pairs of texts for a head over pairs.

    Attributes:
        inputs: A text, texts, or pairs ``[text, text]``.
        raw_scores: Return scores before the softmax or sigmoid.
        model: A module with a head, or a composition with one.
        language: As in `EmbeddingBody`.
    """

    inputs: StrictStr | list[StrictStr] | list[Annotated[list[StrictStr], Field(max_length=2)]]
    raw_scores: bool = False
    model: Model | None = None
    language: Language | None = None


class TagBody(Body):
    """The body of ``POST /tag``: texts, cut into words at spaces, or sentences as words.

    Attributes:
        inputs: A text, texts, or sentences as lists of words.
        model: A module with a head for tagging, or a composition with one.
        language: As in `EmbeddingBody`.
    """

    inputs: StrictStr | list[StrictStr] | list[list[StrictStr]]
    model: Model | None = None
    language: Language | None = None


class ModuleBody(Body):
    """The body of ``POST /v1/modules``.

    Attributes:
        name: The name of the new model.
        source: A folder, or a Hub id: ``org/name`` or ``org/name@revision``.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=4000)]


B = TypeVar("B", bound=Body)


def parse_body(kind: type[B], raw: bytes) -> B:
    """Read a body.

    Raises:
        RequestError: If it is not JSON, or a field is wrong; the first mistake is named.
    """
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise _first(kind, error) from None


def _first(kind: type[Body], error: ValidationError) -> RequestError:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    place = [str(part) for part in first["loc"]]
    param = place[0] if place else None
    if first["type"] == "json_invalid":
        return RequestError(400, f"the body is not JSON: {first['msg']}", code="invalid_json")
    if first["type"] == "missing":
        return RequestError(400, f"{param} is missing", param=param, code="missing_field")
    said = _EXPECTED.get(param or "", first["msg"])
    return RequestError(400, f"{param or 'the body'}: {said}", param=param, code="invalid_value")


_EXPECTED = {
    "input": "a text, a list of texts, a list of token ids, or a list of such lists is expected",
    "inputs": "a text or a list of texts is expected",
}
