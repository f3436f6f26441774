"""Data to send that has no end: a few bytes again and again."""

from __future__ import annotations


def repeated(period: bytes, size: int) -> bytes:
    """SIZE bytes, PERIOD as often as it fits, and as much of it as fits then."""
    return (period * (size // len(period) + 1))[:size]
