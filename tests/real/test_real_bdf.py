"""The reader of BDF on a file that a BioSemi amplifier wrote, with MNE's own reader beside it."""

from pathlib import Path

import mne
import numpy as np
import pytest

from eegemo.datasets.deap import DEAP_EEG_CHANNELS, read_raw_deap
from eegemo.errors import DataError
from eegemo.formats.bdf import decode, read_bdf_blocks, read_bdf_header

SHARED = Path(__file__).resolve().parents[3] / "shared"
BIOSEMI = SHARED / "real-eeg" / "biosemi" / "biosemi_2048hz.bdf"

pytestmark = pytest.mark.skipif(
    not BIOSEMI.is_file(), reason=f"the real recordings are missing: expected {BIOSEMI}"
)


@pytest.fixture(scope="module")
def mnes():
    return mne.io.read_raw_bdf(BIOSEMI, stim_channel=False, preload=True, verbose="ERROR")


def test_every_channel_is_as_mne_reads_it(mnes):
    header = read_bdf_header(BIOSEMI)
    assert list(header.labels) == mnes.ch_names
    assert (header.sfreq, header.n_times) == (mnes.info["sfreq"], len(mnes.times))
    ((_, block),) = read_bdf_blocks(header)
    numbers = decode(block).transpose(1, 0, 2).reshape(len(header.labels), -1)
    values = numbers * np.array(header.gains)[:, None] + np.array(header.offsets)[:, None]
    volts = np.where(np.array(header.units) == "uV", 1e-6, 1.0)[:, None]
    # floats of 64 bits, with offsets of millivolts
    np.testing.assert_allclose(values * volts, mnes.get_data(), rtol=1e-12, atol=1e-15)


def test_deaps_channels_are_found_among_others(mnes):
    with pytest.warns(UserWarning, match="no channel EXG2, EXG3, EXG4, EXG6, EXG7, GSR1, Resp"):
        raw = read_raw_deap(BIOSEMI, exg="monopolar")
    assert raw.ch_names == [*DEAP_EEG_CHANNELS, "EXG1", "EXG5", "EXG8", "Status"]
    np.testing.assert_allclose(
        raw.get_data(picks="eeg"), mnes.get_data(list(DEAP_EEG_CHANNELS)), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_array_equal(
        raw.get_data("Status")[0], mnes.get_data("Status")[0].astype(int) & 255
    )
    assert not len(raw.annotations)  # no video in it


def test_half_of_it_is_refused(tmp_path):
    content = BIOSEMI.read_bytes()
    (tmp_path / "s01.bdf").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="is truncated"):
        read_raw_deap(tmp_path / "s01.bdf")
