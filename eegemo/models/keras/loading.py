"""Load a stored network without trusting whoever stored it.

A ``.keras`` file describes a network by names of classes, which Keras imports and calls. Its safe
mode refuses code in the file itself, but has had gaps [1]_. So the description is read here first,
and only layers, initializers and the like that networks for signals need are let through; weights
are checked to be plain arrays of their own size, inside the file.

References
----------
.. [1] Published vulnerabilities of Keras's safe mode: CVE-2025-1550 and CVE-2025-8747 (functions
   named in the description), CVE-2025-9906 (the description turns the safe mode off),
   CVE-2025-12058 (a layer that reads files), CVE-2025-9905 (the older HDF5 format).
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import h5py  # type: ignore[import-untyped,unused-ignore]
import keras

from eegemo.errors import DataError
from eegemo.formats.archives import open_archive

__all__ = ["load_model", "load_weights"]

_ENTRIES = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG = 16 * 2**20  # bytes
_MAX_DEPTH = 60
_MAX_GROUPS = 1000
#: What a description may name, by module; of layers, those that compute on what they are given.
_LAYERS = """
    Activation ActivityRegularization Add AlphaDropout Average AveragePooling1D AveragePooling2D
    BatchNormalization Bidirectional Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose
    Cropping1D Cropping2D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout EinsumDense ELU Flatten
    GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
    GlobalMaxPooling2D GroupNormalization GRU GRUCell InputLayer LayerNormalization LeakyReLU LSTM
    LSTMCell Maximum MaxPooling1D MaxPooling2D Minimum MultiHeadAttention Multiply Normalization
    Permute PReLU ReLU RepeatVector Rescaling Reshape RMSNormalization RNN SeparableConv1D
    SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D
    StackedRNNCells Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    ZeroPadding1D ZeroPadding2D
"""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling
    Zeros
"""
_ALLOWED: dict[str, frozenset[str]] = {
    "keras": frozenset({"DTypePolicy", "Functional", "Sequential", "Model"}),
    "keras.models": frozenset({"Functional", "Sequential", "Model"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.dtype_policies": frozenset({"DTypePolicy"}),
    "keras.layers": frozenset(_LAYERS.split()),
    "keras.initializers": frozenset(_INITIALIZERS.split()),
    "keras.regularizers": frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
}
# Entries that look like objects and are none: where a tensor comes from, and tuples.
_PLAIN = {"__keras_tensor__", "__tuple__"}


def load_model(path: str | Path) -> keras.Model:
    """Load a network from a ``.keras`` file; nothing in the file is executed.

    Parameters
    ----------
    path : path
        As eegemo stores one for each fold of a result.

    Returns
    -------
    model : keras.Model
        For prediction: not compiled.

    Raises
    ------
    DataError
        If the file is missing, damaged, or no ``.keras`` archive; if it names anything but layers
        of signals networks (a Lambda layer, say), or claims more weights than it holds.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "model.keras"
    >>> keras.Sequential([keras.Input((8, 2)), keras.layers.Flatten()]).save(file)
    >>> load_model(file).output_shape
    (None, 16)
    """
    path = Path(path)
    with open_archive(path) as archive:
        description = _read_description(archive, path)
        _check_description(description, path)
        n_weights = _count_weights(archive, path)
    try:
        with _no_more_weights_than(n_weights):
            model: keras.Model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras and its back ends raise many types
        raise DataError(f"{path} cannot be loaded: {_brief(error)}.") from error
    return model


def load_weights(network: keras.Model, path: Path) -> None:
    """Put stored weights into a network that its builder has made; the file holds numbers only.

    Raises
    ------
    DataError
        If the file is missing or damaged, holds anything but plain arrays, or other weights.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    try:
        with h5py.File(path, "r") as file:
            n_weights = sum(_size_of(dataset, path) for dataset in _datasets(file, path))
        if n_weights < network.count_params():
            raise DataError(
                f"{path}: holds {n_weights} numbers; the network has {network.count_params()} "
                "weights."
            )
        network.load_weights(path)
    except DataError:
        raise
    except Exception as error:  # h5py and Keras raise many types
        raise DataError(f"{path} cannot be loaded: {_brief(error)}.") from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _read_description(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    found = set(archive.namelist())
    if found != _ENTRIES:
        shown = ", ".join(ascii(name)[1:-1] for name in sorted(found)[:10]) or "nothing"
        raise DataError(
            f"{path}: expected a .keras archive of {', '.join(sorted(_ENTRIES))}; found {shown}."
        )
    for name in ("config.json", "metadata.json"):
        if archive.getinfo(name).file_size > _MAX_CONFIG:
            raise DataError(f"{path}: its {name} is larger than any network's.")
    try:
        json.loads(archive.read("metadata.json"))
        description = json.loads(archive.read("config.json"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description cannot be read: {_brief(error)}.") from error
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        raise DataError(f"{path}: its description is not that of a network.")
    description.pop("compile_config", None)  # losses and optimizers, which are not loaded
    return description


def _walk(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every mapping in the description."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner, depth + 1)


def _check_description(description: dict[str, Any], path: Path) -> None:
    """Let through only what is on the list; everything else could import or open something."""
    try:
        entries = list(_walk(description))
    except RecursionError as error:
        raise DataError(f"{path}: its description is nested too deeply.") from error
    for entry in entries:
        if not {"class_name", "module", "registered_name"} & set(entry):
            continue
        name, module = entry.get("class_name"), entry.get("module")
        if (
            module is None
            and isinstance(name, str)
            and name in _PLAIN
            and not entry.get("registered_name")
        ):
            continue
        known = _are_texts(module, name) and name in _ALLOWED.get(str(module), ())
        if not known or entry.get("registered_name") not in (None, name):
            registered = entry.get("registered_name")
            shown = ascii(f"{module}.{name if registered is None else registered}")[1:101]
            raise DataError(
                f"{path} asks for {shown}, which no network of eegemo needs. It may be hostile; "
                "nothing of it was run."
            )


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _count_weights(archive: zipfile.ZipFile, path: Path) -> int:
    """Return how many numbers the weights are; raise unless they are plain arrays in the file."""
    try:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
            return sum(_size_of(dataset, path) for dataset in _datasets(file, path))
    except DataError:
        raise
    except Exception as error:  # h5py raises many types
        raise DataError(f"{path}: its weights cannot be read: {_brief(error)}.") from error


def _datasets(file: h5py.File, path: Path) -> Iterator[h5py.Dataset]:
    groups: list[h5py.Group] = [file]
    for _ in range(_MAX_GROUPS):  # a group may hold itself
        if not groups:
            return
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise DataError(
                    f"{path}: its weights are a link to another place. It may be hostile; nothing "
                    "of it was read."
                )
            inner = group[name]
            if isinstance(inner, h5py.Group):
                groups.append(inner)
            else:
                yield inner
    raise DataError(f"{path}: its weights are in more than {_MAX_GROUPS} groups.")


def _size_of(dataset: h5py.Dataset, path: Path) -> int:
    plain = (
        isinstance(dataset, h5py.Dataset)
        and dataset.dtype.kind in "fiu"
        and not dataset.is_virtual
        and dataset.external is None
        and dataset.chunks is None
        and dataset.nbytes == dataset.id.get_storage_size()
    )
    if not plain:
        raise DataError(
            f"{path}: its weights {dataset.name!a} are not a plain array of their own size."
        )
    return int(dataset.size)


@contextmanager
def _no_more_weights_than(n_weights: int) -> Iterator[None]:
    """Stop when layers ask for more numbers than are stored, before they fill memory.

    What a layer makes is only known once it is built, and then it is made.
    """
    make = keras.layers.Layer.add_weight
    asked = 0

    def add_weight(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        shape = kwargs["shape"] if "shape" in kwargs else next(iter(args), None)
        asked += math.prod(shape or ())
        if asked > n_weights:
            raise DataError(f"describes a network of more weights than the {n_weights} it holds")
        return make(layer, *args, **kwargs)

    with mock.patch.object(keras.layers.Layer, "add_weight", add_weight):
        yield
