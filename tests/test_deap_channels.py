"""Channels of an original recording that are flat, missing, or in another unit."""

import warnings

import numpy as np
import pytest

from eegemo.datasets.deap import (
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    find_recordings_deap,
    read_raw_deap,
)
from eegemo.datasets.deap.channels import TWENTE_EEG_CHANNELS
from eegemo.errors import DataError
from eegemo.formats.bdf_writing import BdfChannel, write_bdf
from raw_files import (
    LABEL,
    field,
    make_place,
    make_small,
    put,
    samples,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def place(tmp_path, small):
    return make_place(tmp_path, small[0])


def test_a_flat_channel_is_marked_bad_and_told(place, small, tmp_path):
    def change(content):
        samples(content, 9)[:] = (1, 2, 3)  # CP1, 10th of Geneva
        samples(content, 4)[3:5] = 0  # FC5, for two seconds
        samples(content, 33)[:] = 0  # EXG2, of the hEOG
        samples(content, 46)[2:4] = 7  # Temperature may stand still

    path = place(change=change)
    with pytest.warns(UserWarning, match="s32.bdf") as caught:
        raw = read_raw_deap(path)
    seconds = len(raw.times) // 512
    assert [str(warning.message) for warning in caught] == [
        f"s32.bdf: channel FC5 is flat for 2 of {seconds} s",
        "s32.bdf: channel CP1 is flat all the time",
        "s32.bdf: channel EXG2 is flat all the time",
        "s32.bdf: marked bad, since flat for more than half of the time: CP1, hEOG",
    ]
    assert raw.info["bads"] == ["CP1", "hEOG"]
    (tmp_path / "participant_ratings.csv").write_bytes(small[1].read_bytes())
    (run,) = find_recordings_deap(tmp_path, variant="bdf")[0].read(eeg_only=True)
    assert run.inst.info["bads"] == ["CP1"]
    assert len(run.inst.ch_names) == 32
    assert "CP1 is flat" in run.notes[1]


def test_a_flat_recording_is_refused(place):
    def change(content):
        for channel in range(32):
            samples(content, channel)[:] = 0

    with pytest.raises(DataError, match="every EEG channel is flat"):
        read_raw_deap(place(change=change))


def test_a_missing_peripheral_channel_is_told(place):
    path = place(change=put(field(0, LABEL, 16, channel=35), "EXG9"))
    with pytest.warns(UserWarning, match="no channel EXG4, so what it gives is missing"):
        raw = read_raw_deap(path)
    assert raw.ch_names == [*(name for name in DEAP_CHANNELS if name != "vEOG"), "Status"]


def write_skin(path, values, unit="nS", order=TWENTE_EEG_CHANNELS):
    """A recording whose skin response is known: two seconds at 64 Hz."""
    channels = [
        *(BdfChannel(name, "uV", -262144, 262143) for name in order),
        BdfChannel("GSR1", unit, -8388608, 8388607),
        BdfChannel("Status", "Boolean", -8388608, 8388607),
    ]
    digital = np.random.default_rng(0).integers(-99, 99, (len(channels), 128), np.int32)
    digital[-2] = values
    write_bdf(path, channels, digital, sfreq=64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        raw = read_raw_deap(path)
    return raw.get_data("GSR")[0], [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("name", "unit", "order", "ohm"),
    [
        ("s01", "nS", TWENTE_EEG_CHANNELS, 1e9 / 5000),
        ("s01", "", TWENTE_EEG_CHANNELS, 1e9 / 5000),  # Twente by its number
        ("s23", "", DEAP_EEG_CHANNELS, 5000),
        ("s23", "Ohm", DEAP_EEG_CHANNELS, 5000),
        ("s23", "kOhm", DEAP_EEG_CHANNELS, 5e6),
        ("s05", "uS", TWENTE_EEG_CHANNELS, 200),
        ("s05", "Ohm", TWENTE_EEG_CHANNELS, 5000),  # the header knows best
        ("anna", "", TWENTE_EEG_CHANNELS, 1e9 / 5000),  # by the order of the channels
        ("anna", "", DEAP_EEG_CHANNELS, 5000),
    ],
)
def test_skin_response_is_in_ohm(tmp_path, name, unit, order, ohm):
    skin, _ = write_skin(tmp_path / f"{name}.bdf", 5000, unit, order)
    np.testing.assert_allclose(skin, ohm, rtol=1e-12)


def test_the_site_can_be_said(tmp_path):
    write_skin(tmp_path / "s01.bdf", 5000, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is missing beside
        raw = read_raw_deap(tmp_path / "s01.bdf", site="geneva")
    np.testing.assert_allclose(raw.get_data("GSR"), 5000)


def test_no_conductance_is_no_contact(tmp_path):
    values = np.full(128, 4000)
    values[10:42], values[64] = -7, 0
    skin, told = write_skin(tmp_path / "s01.bdf", values)
    lost = values <= 0
    np.testing.assert_allclose(skin[~lost], 250_000, rtol=1e-12)
    np.testing.assert_allclose(skin[lost], 1e9, rtol=1e-12)
    assert any("GSR: no contact for 0.5 s (conductance not above 1 nS)" in text for text in told)
