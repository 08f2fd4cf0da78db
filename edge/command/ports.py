"""Ports on loopback: which are taken, which are free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.process import check_free

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from random import Random

HOST: Final = "127.0.0.1"
HIGHEST: Final = 65_535
_FREE: Final = range(16_384, 32_768)
"""Below those that kernels lend to outgoing connections: such a connection would keep a child from coming back on its port."""


def is_taken(port: int) -> bool:
    try:
        check_free(HOST, port)
    except OSError:
        return True
    return False


def free_ports(dice: Random, avoid: Collection[int]) -> Iterator[int]:
    """Free ports, each once. By chance, so that two commands that start together do not choose the same."""
    for port in dice.sample(_FREE, len(_FREE)):
        if port not in avoid and not is_taken(port):
            yield port
