"""How stores fail: the closed list of reasons that StoreError, logs and metrics use."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a store did not do what it was asked to."""

    LOADING = "loading"
    """Its client is still being imported, and the call cannot be a miss."""
    TIMEOUT = "timeout"
    OPEN = "open"
    """It failed a moment ago, and was not asked."""
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    """It does not accept the credentials, or they do not allow this."""
    FAILED = "failed"
