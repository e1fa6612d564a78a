"""Which files of a BIDS data set count, and what is no file."""

import pytest
from test_bids import write_run

from eegemo.datasets.bids import find_recordings_bids
from eegemo.errors import DataError


def test_files_are_all_that_matter(tmp_path):
    write_run(tmp_path, run="1")
    write_run(tmp_path, run="2", task="rest")
    folder = tmp_path / "sub-01" / "eeg"
    (tmp_path / "task-music_eeg.json").write_text("{}")
    (tmp_path / "task-rest_eeg.json").write_text("{}")
    for name in (".DS_Store", "._sub-01_task-music_run-1_eeg.vhdr", "notes.txt"):
        (folder / name).write_text("stray")
    (recording,) = find_recordings_bids(tmp_path, task="music")
    assert [file.name for file in recording.files] == sorted(
        [f"sub-01_task-music_run-1_eeg.{suffix}" for suffix in ("eeg", "vhdr", "vmrk", "json")]
        + [f"sub-01_task-music_run-1_{name}.tsv" for name in ("channels", "events")]
        + ["task-music_eeg.json"],
        key=lambda name: next(str(path) for path in tmp_path.rglob(name)),
    )


def test_signals_under_another_name_are_files_too(tmp_path):
    stem = write_run(tmp_path, signals="söurce 1.eeg")
    (recording,) = find_recordings_bids(tmp_path)
    assert stem.parent / "söurce 1.eeg" in recording.files
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    header.write_bytes(header.read_bytes().replace("ö".encode(), "ö".encode("latin-1")))
    assert find_recordings_bids(tmp_path)[0].files == recording.files
    header.rename(header.with_suffix(".set"))
    (stem.parent / "other.fdt").write_bytes(b"")
    (recording,) = find_recordings_bids(tmp_path)
    assert stem.parent / "other.fdt" in recording.files


@pytest.mark.parametrize("suffix", ["eeg.vhdr", "eeg.eeg", "channels.tsv", "eeg.json"])
def test_broken_links_are_not_passed_over(tmp_path, suffix):
    """As git-annex and DataLad leave for content that was not fetched."""
    write_run(tmp_path, subject="01")
    stem = write_run(tmp_path, subject="02")
    file = stem.with_name(f"{stem.name}_{suffix}")
    file.unlink()
    file.symlink_to(".git/annex/objects/gone")
    with pytest.raises(DataError, match=rf"sub-02.*{suffix}: expected a file, found a broken link"):
        find_recordings_bids(tmp_path)
    assert len(find_recordings_bids(tmp_path, subjects=["01"])) == 1


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    write_run(tmp_path)
    with pytest.raises(DataError, match=r"(?s)aaaa.* cannot be read: File name too long"):
        find_recordings_bids(tmp_path / ("a" * 300))
    locked = tmp_path / "sub-02"
    locked.mkdir()
    list_all = type(locked).iterdir

    def refuse(folder):
        if folder == locked:
            raise PermissionError(13, "Permission denied", str(folder))
        return list_all(folder)

    monkeypatch.setattr(type(locked), "iterdir", refuse)
    with pytest.raises(DataError, match="sub-02 cannot be read: Permission denied"):
        find_recordings_bids(tmp_path)
