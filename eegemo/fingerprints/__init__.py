"""Fingerprints."""
from eegemo.fingerprints.sketches import *
from eegemo.fingerprints.pairs import *
