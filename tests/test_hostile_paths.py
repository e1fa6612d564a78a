"""Paths that climb out of the data folder, by name or by a link."""

import numpy as np
import pytest
import scipy.io
from test_bids import write_run

from eegemo.datasets.bids import find_recordings_bids
from eegemo.datasets.deap import find_recordings_deap
from eegemo.errors import DataError
from eegemo.simulation.deap_files import write_dat


def read_all(root, **options):
    return [run.inst for one in find_recordings_bids(root, **options) for run in one.read()]


def change(file, old, new):
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("key", [b"DataFile=", b"MarkerFile="])
@pytest.mark.parametrize(
    "name",
    ["../../../secret.eeg", "/etc/passwd", "sub/../../../../secret.eeg"],
)
def test_headers_that_name_files_elsewhere(tmp_path, key, name):
    root = tmp_path / "bids"
    stem = write_run(root)
    (tmp_path / "secret.eeg").write_bytes(bytes(4000))
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    lines = header.read_bytes().split(b"\n")
    for delimiter in (b"=", b" : "):
        line = key.rstrip(b"=") + delimiter + name.encode()
        header.write_bytes(b"\n".join(line if x.startswith(key) else x for x in lines))
        with pytest.raises(DataError, match=r"\.vhdr names a file elsewhere: .*outside the data"):
            find_recordings_bids(root)


def test_eeglab_files_that_name_files_elsewhere(tmp_path):
    root = tmp_path / "bids"
    stem = write_run(root)
    for file in stem.parent.glob("*_eeg.[ev]*"):
        file.unlink()
    np.zeros(4 * 2500, np.float32).tofile(tmp_path / "secret.fdt")
    labels = np.zeros(4, dtype=[("labels", object)])
    labels["labels"] = ["Fz", "Cz", "Pz", "EOG"]
    eeg = {"data": "../../../secret.fdt", "srate": 250.0, "nbchan": 4, "pnts": 2500, "trials": 1}
    eeg |= {"chanlocs": labels, "event": [], "xmin": 0.0, "xmax": 9.996}
    scipy.io.savemat(stem.with_name(f"{stem.name}_eeg.set"), {"EEG": eeg}, appendmat=False)
    with pytest.raises(DataError, match=r"secret\.fdt, outside the data folder"):
        read_all(root)


@pytest.mark.parametrize(
    "suffix", ["eeg.eeg", "eeg.vhdr", "eeg.vmrk", "events.tsv", "eeg.json", "channels.tsv"]
)
def test_links_that_lead_out_of_a_bids_data_set(tmp_path, suffix):
    root = tmp_path / "bids"
    stem = write_run(root)
    file = stem.with_name(f"{stem.name}_{suffix}")
    elsewhere = tmp_path / f"elsewhere_{suffix}"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(DataError, match=rf"elsewhere_{suffix}, outside the data folder"):
        find_recordings_bids(root)


def test_a_subject_that_is_a_link_leading_out(tmp_path):
    write_run(tmp_path / "other", subject="02")
    write_run(tmp_path / "bids")
    (tmp_path / "bids" / "sub-02").symlink_to(tmp_path / "other" / "sub-02")
    with pytest.raises(DataError, match="outside the data folder"):
        find_recordings_bids(tmp_path / "bids")
    assert len(find_recordings_bids(tmp_path / "bids", subjects=["01"])) == 1


def test_participants_elsewhere(tmp_path):
    root = tmp_path / "bids"
    write_run(root)
    (tmp_path / "people.tsv").write_text("participant_id\tage\nsub-01\t31\n")
    (root / "participants.tsv").symlink_to("../people.tsv")
    with pytest.raises(DataError, match=r"people\.tsv, outside the data folder"):
        read_all(root)


def test_links_as_annexes_have_them_are_followed(tmp_path):
    """git-annex keeps contents beside the repository's own files, DataLad in the superdataset's."""
    root = tmp_path / "super" / "bids"
    stem = write_run(root)
    file = stem.with_name(f"{stem.name}_eeg.eeg")
    for annex in (root, root.parent):
        key = annex / ".git" / "annex" / "objects" / "ab" / "SHA256E-s1.eeg"
        key.parent.mkdir(parents=True)
        file.resolve().rename(key)
        file.unlink(missing_ok=True)
        file.symlink_to(key)
        assert len(read_all(root)) == 1
    (tmp_path / "link").symlink_to(root)  # the root itself may be a link
    assert len(read_all(tmp_path / "link")) == 1


def test_two_headers_with_the_same_signals(tmp_path):
    """A copy under another name would put the same signals into training and test."""
    first = write_run(tmp_path, run="1")
    second = write_run(tmp_path, run="2")
    change(
        second.with_name(f"{second.name}_eeg.vhdr"),
        f"{second.name}_eeg.eeg".encode(),
        f"{first.name}_eeg.eeg".encode(),
    )
    with pytest.raises(DataError, match="name the same file as their signals"):
        find_recordings_bids(tmp_path)


def test_links_that_lead_out_of_a_deap_folder(tmp_path):
    labels, data = np.full((1, 4), 5.0), np.random.default_rng(0).normal(size=(1, 40, 400))
    folder = tmp_path / "deap" / "data_preprocessed_python"
    folder.mkdir(parents=True)
    write_dat(folder / "s01.dat", labels, iter(data), data.shape)
    (tmp_path / "s02.dat").write_bytes((folder / "s01.dat").read_bytes())
    (folder / "s02.dat").symlink_to("../../s02.dat")
    with pytest.raises(DataError, match=r"s02\.dat, outside the data folder .*give the folder"):
        find_recordings_deap(tmp_path / "deap")
    assert len(find_recordings_deap(tmp_path / "deap", subjects=[1])) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data_preprocessed_python").symlink_to(folder)
    with pytest.raises(DataError, match="outside the data folder"):
        find_recordings_deap(tmp_path / "other", subjects=[1])
    assert len(find_recordings_deap(tmp_path / "other" / "data_preprocessed_python", subjects=[1]))


@pytest.mark.parametrize("subject", ["../01", "/etc/passwd", "01/../01", "..", "\0", "01\n"])
def test_subjects_that_are_paths(tmp_path, subject):
    write_run(tmp_path)
    if subject == "01\n":  # a blank too many is forgiven
        assert len(find_recordings_bids(tmp_path, subjects=[subject])) == 1
        return
    with pytest.raises(DataError, match="has no EEG in"):
        find_recordings_bids(tmp_path, subjects=[subject])
    with pytest.raises(DataError, match=r"No file named|is not in"):
        find_recordings_deap(tmp_path, subjects=[subject])
