"""Artefacts on disk: named by their content, complete or absent, one writer at a time.

Everything eegemo writes goes through `atomic_file` or `atomic_folder`. It is written under a
temporary name in the same folder, flushed to disk, and renamed, so a file under its final name is
complete. The temporary name contains the process number, which identifies files of processes that
have died (`remove_leftovers`).
"""

from eegemo.store.digests import FileDigests, digest_bytes, digest_json
from eegemo.store.folders import atomic_folder, changed_files, is_whole, manifest, remove_damaged
from eegemo.store.locks import lock
from eegemo.store.space import DiskFullError, format_bytes, free_bytes, naming_full_disk
from eegemo.store.writing import (
    atomic_file,
    remove_leftovers,
    temporary_prefix,
    write_json,
    write_text,
)

__all__ = [
    "DiskFullError",
    "FileDigests",
    "atomic_file",
    "atomic_folder",
    "changed_files",
    "digest_bytes",
    "digest_json",
    "format_bytes",
    "free_bytes",
    "is_whole",
    "lock",
    "manifest",
    "naming_full_disk",
    "remove_damaged",
    "remove_leftovers",
    "temporary_prefix",
    "write_json",
    "write_text",
]
