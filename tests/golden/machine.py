"""The software and the processor that golden predictions were made with."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GOLDEN = Path(__file__).parent
MADE_WITH = GOLDEN / "made_with.json"
#: Sums are added in another order by other versions of these.
PACKAGES = ["tensorflow", "keras", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "mne"]
#: Extensions of a processor that decide how sums are added.
_VECTORS = ("sse4", "avx", "fma", "amx", "f16c", "asimd", "sve")


def describe_machine():
    """Versions, back end and processor, as far as bits depend on them."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "versions": {name: _version(name) for name in PACKAGES},
        "cpu": _processor(),
        "gpu": any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")),
    }


def differences():
    """Say how this machine differs from the one of the golden files; empty if it does not."""
    then, now = (_flat(one) for one in (json.loads(MADE_WITH.read_text()), describe_machine()))
    return ", ".join(
        f"{name} {then.get(name)} then, {now.get(name)} now"
        for name in sorted({*then, *now})
        if name != "commit" and then.get(name) != now.get(name)
    )


def _flat(description):
    flat = {}
    for name, value in description.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {}
        flat |= {} if isinstance(value, dict) else {name: value}
    return flat


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {"machine": platform.machine(), "model": platform.processor()}
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in lines.items()}
    flags = found.get("flags", found.get("Features", "")).split()
    return {
        "machine": platform.machine(),
        "model": " ".join(found.get(key, "") for key in ("model name", "cpu family", "model")),
        "vectors": " ".join(sorted(flag for flag in flags if flag.startswith(_VECTORS))),
    }
