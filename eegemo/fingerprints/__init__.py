"""Trials are recognised by their signals: fingerprints, and the pairs of which they are alike."""

from eegemo.fingerprints.pairs import Near, compare, find_identical, find_near
from eegemo.fingerprints.sketches import (
    FINGERPRINT,
    FINGERPRINT_VERSION,
    make_fingerprints,
    sketch_of,
)

__all__ = [
    "FINGERPRINT",
    "FINGERPRINT_VERSION",
    "Near",
    "compare",
    "find_identical",
    "find_near",
    "make_fingerprints",
    "sketch_of",
]
