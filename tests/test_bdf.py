"""BDF files that are not what they should be: refused, or read as if nothing was changed."""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegemo.datasets.deap import DEAP_EEG_CHANNELS, find_recordings_deap, read_raw_deap
from eegemo.errors import DataError
from raw_files import (
    DIGITAL_MAX,
    LABEL,
    N_SAMPLES,
    PHYSICAL_MAX,
    PHYSICAL_MIN,
    RESERVED,
    UNIT,
    field,
    make_place,
    make_small,
    put,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def place(tmp_path, small):
    return make_place(tmp_path, small[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(slice(0, 8), "0       "), "is not a BDF file"),
        (
            put(slice(252, 256), "48"),
            "has 12800 bytes and 48 channels; expected 12544",
        ),
        (put(slice(252, 256), "-1"), "number of channels as '-1'; expected a whole number"),
        (put(slice(252, 256), "4_9"), "number of channels as '4_9'"),
        (put(slice(184, 192), "256"), "says that it has 256 bytes and 49 channels"),
        (put(slice(236, 244), "-1"), "says -1 records. The recording was not closed"),
        (put(slice(236, 244), "9"), "is longer than its header says: expected .* for 9 records"),
        (put(slice(236, 244), "99999999"), "is truncated: expected .* for 99999999 records"),
        (put(slice(244, 252), "0"), "duration of a record as '0'; expected a number"),
        (put(slice(244, 252), "nan"), "duration of a record as 'nan'"),
        (put(field(0, N_SAMPLES, 8, channel=3), "256"), "is longer than its header says"),
        (put(field(0, N_SAMPLES, 8, channel=3), "-512"), "samples per record of channel 4"),
        (put(field(0, N_SAMPLES, 8, channel=3), "1e3"), "samples per record of channel 4"),
        (put(field(0, PHYSICAL_MIN, 8), "262143"), "channel Fp1 has no scale"),
        (put(field(0, PHYSICAL_MAX, 8), "inf"), "physical_max of channel Fp1 as 'inf'"),
        (put(field(0, DIGITAL_MAX, 8), "-8388608"), "channel Fp1 has no scale"),
        (put(field(0, DIGITAL_MAX, 8), "99999999"), "digital_max of channel Fp1"),
        (put(field(0, UNIT, 8), "mmHg"), "channel Fp1 is in 'mmHg'; expected a voltage"),
        (put(field(0, LABEL, 16), "Fp9"), "has no channel Fp1; expected DEAP's 32"),
        (put(field(0, LABEL, 16), "AF3"), "has two channels AF3"),
        (put(field(0, LABEL, 16, channel=48), "Temp"), "last channel is Temp"),
        (put(field(0, LABEL, 16, channel=47), "BDF Annotations"), "is a BDF.* of annotations"),
        (
            put(field(0, PHYSICAL_MAX, 8, channel=32), "26214"),
            "EXG1 and EXG2 have different scale",
        ),
    ],
)
def test_wrong_headers_are_refused(place, change, says):
    path = place(change=lambda content: change(content))
    with pytest.raises(DataError, match=rf"s32\.bdf.*{says}"):
        read_raw_deap(path)


def swap_samples(content):
    """Two channels of different rates, with a file as long as before."""
    put(field(0, N_SAMPLES, 8, channel=3), "256")(content)
    put(field(0, N_SAMPLES, 8, channel=4), "768")(content)


def test_rates_that_differ_are_refused(place):
    with pytest.raises(DataError, match="channels have 256, 512, 768 samples per record"):
        read_raw_deap(place(change=swap_samples))


@pytest.mark.parametrize("size", [0, 7, 8, 255, 256, 300, 12_799, 12_800, 12_801, -1, -100_000])
def test_truncated_files_are_refused(place, small, size):
    path = place(content=small[0][:size])
    with pytest.raises(DataError, match=r"s32\.bdf (is truncated|is not a BDF file)"):
        read_raw_deap(path)
    place(content=small[0], name="s31.bdf")
    root = path.parent
    (root / "participant_ratings.csv").write_bytes(small[1].read_bytes())
    # before anything is read: else an hour of other subjects would be read first
    with pytest.raises(DataError, match=r"s32\.bdf (is truncated|is not a BDF file)"):
        find_recordings_deap(root, variant="bdf")
    assert len(find_recordings_deap(root, variant="bdf", subjects=[31])) == 1


def test_a_file_that_shrinks_while_it_is_read(place, small):
    path = place()
    raw = read_raw_deap(path)
    path.write_bytes(small[0][:-2000])
    with pytest.raises(DataError, match="cut off while it was read"):
        raw.load_data(verbose="ERROR")
    path.unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        raw.get_data()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected a file, found nothing"):
        read_raw_deap(tmp_path / "s01.bdf")
    with pytest.raises(DataError, match="expected a file, found a folder"):
        read_raw_deap(tmp_path)
    (tmp_path / "s01.bdf").write_bytes(b"0".ljust(5000))
    with pytest.raises(DataError, match="is not a BDF file"):
        read_raw_deap(tmp_path / "s01.bdf")


# --- hostile headers -----------------------------------------------------------------------------

# What a header may say differently without the signals being others.
UNUSED = {*range(8, 184), *range(192, 236)}
UNUSED |= {256 + 49 * 16 + k for k in range(49 * 80)}  # transducers
UNUSED |= {256 + 49 * 136 + k for k in range(49 * 80)}  # prefilters
UNUSED |= {256 + 49 * RESERVED + k for k in range(49 * 32)}
SCALES = {256 + 49 * PHYSICAL_MIN + k for k in range(49 * 32)}


@pytest.fixture(scope="module")
def original(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    (folder / "s32.bdf").write_bytes(small[0])
    raw = read_raw_deap(folder / "s32.bdf", preload=True)
    return folder / "s32.bdf", small[0], raw


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    changes=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 12_799), st.integers(184, 256), st.integers(0, 1100)),
            st.one_of(st.sampled_from(b"0123456789 -+.eE_nai\x00\xff"), st.integers(0, 255)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_hostile_headers_are_refused_or_harmless(original, changes):
    """Any bytes of the header changed: a DataError, or the very same signals.

    A scale that is changed into another valid one gives other numbers, which nobody could know;
    then the channels whose header is whole have to be the same.
    """
    path, content, raw = original
    mutant = bytearray(content)
    for at, value in changes:
        mutant[at] = value
    path.write_bytes(mutant)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = read_raw_deap(path, preload=True)
    except DataError:
        return
    assert set(found.ch_names) <= set(raw.ch_names)
    assert set(DEAP_EEG_CHANNELS) <= set(found.ch_names)
    assert len(found.times) == len(raw.times)
    touched = {at for at, value in changes if content[at] != value}
    if not 244 <= min(touched, default=0) < 252 and touched.isdisjoint(range(244, 252)):
        assert found.info["sfreq"] == 512
    if touched <= UNUSED:
        assert found.ch_names == raw.ch_names
        np.testing.assert_array_equal(found.get_data(), raw.get_data())
    elif touched.isdisjoint(SCALES):
        np.testing.assert_array_equal(found.get_data("Status"), raw.get_data("Status"))


def test_mutants_are_read_somewhere(original):
    """The test above is worth something only if some of its files are read."""
    path, content, raw = original
    mutant = bytearray(content)
    for at in sorted(UNUSED)[::7]:
        mutant[at] = 0xE9
    path.write_bytes(mutant)
    np.testing.assert_array_equal(read_raw_deap(path).get_data(), raw.get_data())


def test_a_huge_claim_costs_nothing(place):
    """The size of the file decides, before anything is allocated."""
    path = place(change=put(slice(236, 244), "99999999"))
    tracemalloc.start()
    with pytest.raises(DataError, match="truncated"):
        read_raw_deap(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
