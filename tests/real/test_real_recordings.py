"""Readers and preprocessing on real EEG, which lies in a folder beside the project."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from eegemo.datasets.bids import find_recordings_bids
from eegemo.preprocessing import preprocess

SSVEP = Path(__file__).resolve().parents[3] / "shared" / "real-eeg" / "ssvep"

pytestmark = pytest.mark.skipif(
    not SSVEP.is_dir(),
    reason=f"the real recordings are missing: expected the BIDS data set {SSVEP}",
)


@pytest.fixture(scope="module")
def recording():
    (recording,) = find_recordings_bids(SSVEP, tmax=3.0)
    return recording


@pytest.fixture(scope="module")
def runs(recording):
    return list(recording.read(eeg_only=True))


def test_six_runs_with_their_trials(recording, runs):
    assert recording.subject == "01"
    assert len(runs) == 6
    for run in runs:
        assert run.inst.ch_names == ["TP9", "AF7", "AF8", "TP10", "POz"]
        assert run.inst.info["sfreq"] == 256.0
        assert run.inst.get_montage() is not None
        # scalp EEG in volts: a standard deviation of microvolts to a tenth of a millivolt
        assert 1e-6 < np.median(run.inst.get_data().std(axis=1)) < 1e-4


def test_trials_agree_with_the_table(runs):
    """Every row of events.tsv is a trial, or is left out with a note; numbers count all rows."""
    tables = [
        np.genfromtxt(file, delimiter="\t", names=True, dtype=None, encoding="utf-8")
        for file in sorted(SSVEP.rglob("*_events.tsv"))
    ]
    first = 1
    for run, table in zip(runs, tables, strict=True):
        epochs = run.make_epochs(run.inst)
        fits = table["onset"] + 3.0 <= len(run.inst.times) / 256.0
        assert epochs.metadata["trial_type"].tolist() == table["trial_type"][fits].tolist()
        assert epochs.metadata["trial"].tolist() == (first + np.flatnonzero(fits)).tolist()
        assert bool(run.notes) == (not fits.all())
        # the data are those at the sample the table names
        for signals, sample in zip(epochs.get_data(), table["sample"][fits], strict=True):
            np.testing.assert_array_equal(signals, run.inst.get_data()[:, sample : sample + 768])
        first += len(table)


def test_flicker_is_in_the_signal_after_preprocessing(runs):
    """The steady-state response peaks at the frequency of the light, in the right trials."""
    power = {"flicker_20hz": [], "flicker_30hz": []}
    for run in runs:
        epochs = preprocess(
            run.inst,
            channels=["POz"],
            sfreq=128.0,
            l_freq=4.0,
            h_freq=45.0,
            make_epochs=run.make_epochs,
        )
        assert epochs.get_data().shape[1:] == (1, 384)
        freqs, spectra = scipy.signal.periodogram(epochs.get_data()[:, 0], 128.0, "hann", axis=-1)
        at = [np.argmin(np.abs(freqs - frequency)) for frequency in (20, 30)]
        for kind, spectrum in zip(epochs.metadata["trial_type"], spectra, strict=True):
            power[kind].append(spectrum[at])
    at_20, at_30 = (np.median(power[kind], axis=0) for kind in ("flicker_20hz", "flicker_30hz"))
    assert at_20[0] > 2 * at_30[0]
    assert at_30[1] > 2 * at_20[1]


def test_preprocessing_agrees_with_scipy(runs):
    """Resampling by two and its moments, against SciPy on the same real signal."""
    raw = runs[0].inst
    new = preprocess(raw, sfreq=128.0)
    expected = scipy.signal.resample_poly(raw.get_data(), 1, 2, axis=-1)
    np.testing.assert_allclose(new.get_data()[:, 128:-128], expected[:, 128:-128], atol=1e-12)
