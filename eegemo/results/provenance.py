"""What a result was made with: versions, machine, commit, memory."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import eegemo

__all__ = ["describe_software", "git_commit", "now"]

_PACKAGES = "keras tensorflow jax torch mne mne-bids numpy scipy scikit-learn pandas pyarrow"


def now() -> str:
    """Return the time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """Return the commit of the checkout eegemo runs from, and whether files differ from it."""
    folder = Path(eegemo.__file__).parent
    try:
        _git(folder, "ls-files", "--error-unmatch", "__init__.py")  # not a repository around it
        asked = [
            _git(folder, "rev-parse", "HEAD"),
            _git(folder, "status", "--porcelain", "--", "."),
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{asked[0]}{' with changes' if asked[1] else ''}"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def describe_software() -> dict[str, Any]:
    """Describe what computes: eegemo, Python, the back end and the versions of packages."""
    versions = {}
    for name in _PACKAGES.split():
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "eegemo": eegemo.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "versions": versions,
    }
