"""Whole or absent, one writer at a time, and digests that notice changed bytes."""

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegemo.errors import EegemoError
from eegemo.store import (
    DiskFullError,
    FileDigests,
    atomic_file,
    atomic_folder,
    changed_files,
    digest_bytes,
    digest_json,
    digests,
    lock,
    naming_full_disk,
    remove_damaged,
    remove_leftovers,
    write_json,
    write_text,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )


def write_half(place, error):
    with place as temporary:
        (temporary / "a.txt" if temporary.is_dir() else temporary).write_text("half")
        raise error


# --- files ---------------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent  # so that renaming is possible at all
        assert temporary.suffix == ".txt"
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names_in(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_fails_leaves_nothing_new_and_the_old_one_as_it_was(tmp_path, error):
    for old in (None, "old"):
        path = tmp_path / "a.txt"
        if old is not None:
            path.write_text(old)
        with pytest.raises(error):
            write_half(atomic_file(path), error)
        assert names_in(tmp_path) == ([] if old is None else ["a.txt"])
        assert old is None or path.read_text() == old


def test_a_file_of_a_process_that_dies_is_not_there(tmp_path):
    code = """
import os, sys
from pathlib import Path
from eegemo.store import atomic_file, atomic_folder
with atomic_folder(Path(sys.argv[1]) / "folder") as folder:
    (folder / "inside").write_text("half")
    with atomic_file(Path(sys.argv[1]) / "file.txt") as temporary:
        temporary.write_text("half")
        os._exit(9)
"""
    assert run_python(code, tmp_path).returncode == 9
    assert not (tmp_path / "file.txt").exists()
    assert not (tmp_path / "folder").exists()
    # what is left has a name that nobody looks for
    assert all(name.startswith(".") for name in names_in(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_permissions_are_the_users_ordinary_ones(tmp_path, mask, file, folder):
    """And not those of temporary files, which colleagues could not read."""
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "a")
        with atomic_folder(tmp_path / "b"):
            pass
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == file
    assert (tmp_path / "b").stat().st_mode & 0o777 == folder


def test_text_is_utf8_and_json_reads_back(tmp_path):
    write_text(tmp_path / "a.txt", "µV\n")
    assert (tmp_path / "a.txt").read_bytes() == "µV\n".encode()
    content = {"name": "é", "list": [1, 2.5, None], "yes": True}
    write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == content


@pytest.mark.parametrize("content", [float("nan"), {"a": float("inf")}, {"a": object()}])
def test_what_json_cannot_hold_leaves_no_file(tmp_path, content):
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", content)
    assert names_in(tmp_path) == []


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a.txt").write_text("a")
        assert not path.exists()
    assert (path / "inner" / "a.txt").read_text() == "a"
    assert names_in(path.parent) == ["folder"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(atomic_folder(tmp_path / "folder"), KeyboardInterrupt)
    assert names_in(tmp_path) == []


def test_the_folder_that_another_process_made_meanwhile_is_kept(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "a.txt").write_text("late")
        path.mkdir()
        (path / "a.txt").write_text("first")
    assert (path / "a.txt").read_text() == "first"
    assert names_in(tmp_path) == ["folder"]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OSError, match="folder"), atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "folder").read_text() == "a file"
    assert names_in(tmp_path) == ["folder"]


# --- what dead processes leave, and full disks --------------------------------------------------

WRITE = """
import os, sys, time
from pathlib import Path
from eegemo.store import atomic_file, atomic_folder
place = Path(sys.argv[1])
with atomic_folder(place / "folder") as folder, atomic_file(place / "file.txt") as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    if sys.argv[2] == "die":
        os._exit(9)
    time.sleep(60)
"""


def test_what_a_dead_process_left_is_removed(tmp_path):
    assert run_python(WRITE, tmp_path, "die").returncode == 9
    (tmp_path / ".mine").write_text("a user's own hidden file")
    (tmp_path / ".else~00000000-1-abc").write_text("of another machine")
    assert len(names_in(tmp_path)) == 4
    assert len(remove_leftovers(tmp_path, tmp_path / "no such folder")) == 2
    assert names_in(tmp_path) == [".else~00000000-1-abc", ".mine"]


def test_what_a_living_process_is_writing_is_left_alone(tmp_path):
    command = [sys.executable, "-c", WRITE, str(tmp_path), "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "writing\n"
            assert remove_leftovers(tmp_path) == []
            assert len(names_in(tmp_path)) == 2
        finally:
            process.kill()
    assert len(remove_leftovers(tmp_path)) == 2
    assert names_in(tmp_path) == []


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def wrapped(*_):
    try:
        full_disk()
    except OSError as error:
        raise RuntimeError("a library's own words") from error


@pytest.mark.parametrize("fail", [full_disk, wrapped])
def test_a_full_disk_is_told_with_the_file_and_what_is_free(tmp_path, fail):
    for place in (atomic_file(tmp_path / "a.txt"), atomic_folder(tmp_path / "a.txt")):
        with pytest.raises(
            DiskFullError, match=r"a\.txt could not.*full \([\d,.]+ .?B free"
        ) as told:
            fail_inside(place, fail)
        assert "\n" not in str(told.value)
        assert names_in(tmp_path) == []


def fail_inside(place, fail):
    with place:
        fail()


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), naming_full_disk(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(ValueError, match="mine"), naming_full_disk(tmp_path):
        raise ValueError("mine")


def test_a_damaged_folder_is_removed_and_a_whole_one_is_not(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "a.txt").write_text("a")
        (temporary / "b.txt").write_text("b")
    assert not remove_damaged(path, FileDigests())
    (path / "b.txt").write_text("B")
    assert changed_files(path) == ["b.txt"]
    assert remove_damaged(path, FileDigests())
    assert not path.exists()
    assert not remove_damaged(path, FileDigests())
    path.write_text("a file in its place")
    assert remove_damaged(path, FileDigests())


# --- locks ---------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from eegemo.store import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    path = tmp_path / "result" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield path, process
        finally:
            process.kill()


def test_a_lock_held_by_another_process_is_refused_with_its_number(holder):
    path, process = holder
    said = f"result is in use by process {process.pid}"
    with pytest.raises(EegemoError, match=said), lock(path):
        pytest.fail("two processes hold the same lock")
    # asking did not take away the holder's name
    with pytest.raises(EegemoError, match=said), lock(path):
        pass


def test_a_lock_ends_with_its_process_however_that_ends(holder):
    path, process = holder
    process.kill()
    process.wait()
    with lock(path):
        assert path.read_text().startswith(f"process {os.getpid()} on {socket.gethostname()} since")


def test_waiting_for_a_lock_gets_it_when_it_is_free(holder):
    path, process = holder
    threading.Timer(0.3, process.kill).start()
    said = []
    with lock(path, wait=True, message=said.append):
        assert process.wait() != 0  # it is gone, which took a while
        assert path.read_text().startswith(f"process {os.getpid()} ")
    assert len(said) == 1
    assert f"in use by process {process.pid} on {socket.gethostname()} since 20" in said[0]


def test_a_lock_is_free_after_its_block_also_after_an_error(tmp_path):
    path = tmp_path / ".lock"
    for _ in range(2):
        with pytest.raises(ValueError, match="oops"), lock(path):
            raise ValueError("oops")
    with lock(path), pytest.raises(EegemoError, match="in use"), lock(path):
        pass
    assert path.read_text() == ""


# --- digests -------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_digests_tell_apart_how_bytes_are_divided(one, other):
    assert (digest_bytes(*one) == digest_bytes(*other)) == (one == other)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_digests_do_not_depend_on_the_order_of_keys(content):
    backwards = dict(reversed(content.items()))
    assert digest_json(content) == digest_json(backwards)
    assert digest_json(content) == digest_json(json.loads(json.dumps(content)))


def test_digests_tell_values_apart():
    contents = [1, 1.5, "1", True, None, [1], [[1]], {"a": 1}, {"a": 2}, {"b": 1}, [1, 2], [2, 1]]
    assert len({digest_json(content) for content in contents}) == len(contents)
    with pytest.raises(ValueError, match="JSON"):
        digest_json(float("nan"))


def test_a_files_digest_is_its_sha256(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_CHUNK", 7)
    for content in (b"", b"1234567", b"x" * 100):
        (tmp_path / "a").write_bytes(content)
        assert FileDigests().digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_files_are_read_once_also_by_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_SETTLED", -1)  # as if the file were older
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"bytes")
    first = FileDigests(memory)
    digest = first.digest(path)
    first.save()

    def unread(_):
        raise AssertionError("read again")

    monkeypatch.setattr(digests, "_digest_stream", unread)
    assert first.digest(path) == digest
    assert FileDigests(memory).digest(path) == digest
    with pytest.raises(AssertionError, match="read again"):
        FileDigests().digest(path)


def change_bytes(path):
    path.write_bytes(b"other")


def change_bytes_and_put_the_time_back(path):
    state = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def put_another_file_there(path):
    state = path.stat()
    path.with_name("new").write_bytes(b"other")
    os.utime(path.with_name("new"), ns=(state.st_atime_ns, state.st_mtime_ns))
    path.with_name("new").replace(path)


@pytest.mark.parametrize(
    "change", [change_bytes, change_bytes_and_put_the_time_back, put_another_file_there]
)
def test_changed_bytes_of_the_same_length_are_noticed(tmp_path, change):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"bytes")
    known = FileDigests(memory)
    known.digest(path)
    known.save()
    change(path)  # within the same tick of the clock, as often as not
    expected = hashlib.sha256(b"other").hexdigest()
    assert known.digest(path) == expected
    assert FileDigests(memory).digest(path) == expected


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"a": [1]}'])
def test_a_damaged_memory_is_only_a_lost_shortcut(tmp_path, content):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"bytes")
    memory.write_bytes(content)
    assert FileDigests(memory).digest(path) == hashlib.sha256(b"bytes").hexdigest()


def test_a_flipped_digit_in_the_memory_is_no_other_file(tmp_path, monkeypatch):
    """Else a changed digest would pass for changed data."""
    monkeypatch.setattr(digests, "_SETTLED", -1)
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"bytes")
    known = FileDigests(memory)
    digest = known.digest(path)
    known.save()
    text = memory.read_text()
    assert text.count(digest) == 1
    memory.write_text(text.replace(digest, digest[::-1]))
    assert FileDigests(memory).digest(path) == digest


def test_the_digest_of_several_files_knows_names_bytes_and_order(tmp_path):
    def digest(names, contents):
        folder = Path(tmp_path / str(len(os.listdir(tmp_path))))
        folder.mkdir()
        for name, content in zip(names, contents, strict=True):
            (folder / name).write_bytes(content)
        return FileDigests().digest_all([folder / name for name in names])

    same = digest(["a", "b"], [b"1", b"2"])
    assert same == digest(["a", "b"], [b"1", b"2"])  # the folder does not count
    others = {
        digest(["a", "c"], [b"1", b"2"]),
        digest(["a", "b"], [b"2", b"1"]),
        digest(["b", "a"], [b"2", b"1"]),
        digest(["a", "b"], [b"1", b"3"]),
        digest(["a"], [b"12"]),
    }
    assert len(others) == 5
    assert same not in others
