"""Simulated recordings of DEAP for tests, and ways to spoil them."""

import numpy as np

from eegemo.simulation.ratings import ratings_table, simulate_ratings
from eegemo.simulation.raw import write_raw_recording
from eegemo.simulation.subject import SimulatedSubject

N_TRIALS, DURATION = 4, 2.0
RAW = "data_original"
# Bytes per channel before each field of the header.
LABEL, UNIT, PHYSICAL_MIN, PHYSICAL_MAX = 0, 96, 104, 112
DIGITAL_MIN, DIGITAL_MAX, N_SAMPLES, RESERVED = 120, 128, 216, 224


def make_subject(number, n_trials=N_TRIALS, duration=DURATION):
    rated = simulate_ratings(number, n_trials, 0, duration)
    return SimulatedSubject(number, rated, duration, effect=1.0, fingerprint=0.4, seed=0)


def write_table(path, n_trials=N_TRIALS, duration=DURATION):
    rated = [simulate_ratings(number, n_trials, 0, duration) for number in range(1, 33)]
    ratings_table(rated).to_csv(path, index=False)
    return path


def make_small(root):
    """Return the bytes of participant 32 with three trials, and a table of ratings for them."""
    path = root / "s32.bdf"
    write_raw_recording(path, make_subject(32, 3, 1.0))
    return path.read_bytes(), write_table(root / "participant_ratings.csv", 3, 1.0)


def make_place(folder, content):
    """Return a function that writes the recording, or other content, with a change."""

    def write(content=content, name="s32.bdf", change=None):
        content = bytearray(content)
        if change:
            change(content)
        (folder / name).write_bytes(content)
        return folder / name

    return write


def field(content, start, width, n_channels=49, channel=0):
    """Where a channel's field lies: `start` is how many bytes per channel come before it."""
    at = 256 + start * n_channels + width * channel
    return slice(at, at + width)


def put(at, text):
    def change(content):
        width = at.stop - at.start
        content[at] = text.encode("latin-1").ljust(width)[:width]

    return change


def samples(content, channel, n_channels=49):
    """View of all samples of a channel: (n_records, 512, 3) bytes."""
    body = np.frombuffer(content, np.uint8, offset=256 * (n_channels + 1))
    return body.reshape(-1, n_channels, 512, 3)[:, channel]
