"""Artefacts on disk: named by their content, whole or absent, one writer at a time.

Everything eegemo writes goes through `atomic_file` or `atomic_folder`: it is made beside its place
under a temporary name, flushed to disk, and renamed. A name that exists is therefore complete. The
temporary name holds the number of the process, so that what a dead one has left can be told from
the work of a living one (`remove_leftovers`).
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
