"""The envelope of every stored value. (The struct is fixed; encoding and verification stand below it.)"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.keys import RenditionRecipe, TakeRecipe

Kind = Literal["take", "rendition", "recipe"]


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a stored value besides its bytes."""

    kind: Kind
    key: str
    fingerprint: str
    namespace: str
    take: TakeRecipe | None = None
    rendition: RenditionRecipe | None = None
    """The recipe: `take` of a take, `rendition` of a rendition and of a recipe (which has no body)."""
    media_type: str = ""
    sample_rate: int = 0
    samples: int = 0
    """Samples of the audio; of a rendition, before it was encoded."""
    dialect: str = ""
    """The dialect that the origin said it spoke."""
    tags: tuple[str, ...] = ()
    began: float
    """When the flight that made it began, in seconds since 1970: what `Age` and purges count from."""
    epoch: int = 0
    """The purge epoch that its flight began in."""
    etag: str = ""
    """BLAKE2b-128 of the body, hex. Of a recipe: of its first stored rendition; empty before there was one."""
    size: int = 0
    """Bytes of the body."""
