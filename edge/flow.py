"""The way of a request, read downward. (Interface fixed; being written.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.answer import Answer, Found
    from edge.policy.envelope import Meta
    from edge.policy.plan import Plan
    from shared.keys import Key
    from shared.speech import SpeechRequest


class Flow:
    """Turns speech requests and keys into answers."""

    def plan(self, request: SpeechRequest, unknown: tuple[str, ...] = ()) -> Plan:
        """Canonicalise and plan. Raises BadRequest or Unsupported."""

    def peek(self, key: str) -> Found | None:
        """The rendition, if it is in memory."""

    async def speak(self, plan: Plan, *, no_store: bool = False, no_cache: bool = False, only_if_cached: bool = False) -> Answer:
        """The rendition of `plan`, stored or live. The flags are the request's Cache-Control. Raises RefrainError."""

    async def recall(self, key: Key, *, no_cache: bool = False, only_if_cached: bool = False) -> Answer:
        """The rendition behind an address; one that has expired is made again from its recipe. Raises NotFound `unknown_key`."""

    async def describe(self, key: Key) -> Found | Meta:
        """For HEAD and conditions: the rendition, or else its recipe's Meta (with the ETag of its first rendition). NotFound."""

    async def keep_recipe(self, plan: Plan) -> None:
        """Store the recipe, so that the address works before there is audio (`delivery: url`). Raises `store_failed`."""

    async def cached(self, plan: Plan) -> tuple[bool, tuple[bool, ...]]:
        """Whether the rendition, and which of its takes, are stored."""
