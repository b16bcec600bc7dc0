"""The description of an encoder, which other processes and machines load it by."""

from __future__ import annotations

from dataclasses import dataclass

from xadapt.inference.adapted_encoder import AdaptedEncoder


@dataclass(frozen=True)
class EncoderSpec:
    """A function without arguments that loads an encoder; it is small, and can be pickled.

    ```python
    spec = EncoderSpec("mini", ("sw", "de"))
    model = spec()
    ```

    Attributes:
        base: As for `AdaptedEncoder.from_pretrained`; on a cluster, a place that each machine has.
        modules: Folders or Hub ids of modules.
        compose: A composition of them, as text.
        dtype: Type of the base's weights.
        device: Device of the encoder.
    """

    base: str
    modules: tuple[str, ...] = ()
    compose: str | None = None
    dtype: str = "auto"
    device: str = "auto"

    def __call__(self) -> AdaptedEncoder:
        """Load the encoder.

        Raises:
            UserError: As for `AdaptedEncoder.from_pretrained`.
        """
        return AdaptedEncoder.from_pretrained(
            self.base, *self.modules, compose=self.compose, dtype=self.dtype, device=self.device
        )
