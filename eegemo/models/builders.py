"""Models made by a builder function, whatever their framework.

A builder takes the shape of the windows as ``n_times``, ``n_channels`` and ``n_classes`` (those of
them that it names, and ``sfreq`` or ``ch_names`` if it asks for them), and its options as
keyword-only parameters. What it returns is said by its return annotation, which is read as text, so
that nothing is imported to know it::

    def net(n_times, n_channels, n_classes, *, width: Count = 16) -> "keras.Model": ...
    def pipeline(*, C: Positive = 1.0) -> "sklearn.pipeline.Pipeline": ...
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from eegemo.errors import ConfigError, InputError
from eegemo.models.base import Model
from eegemo.models.shapes import InputShape, Size
from eegemo.registry import ADAPTERS, MODELS

__all__ = [
    "BuilderModel",
    "Facts",
    "as_model",
    "builds",
    "call_builder",
    "facts_of",
    "make_model",
    "where_is",
]

Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(frozen=True)
class Facts:
    """What is known of a builder's models without calling it.

    Attributes
    ----------
    adapter : str
        Name in the registry of adapters, or an import path: what gives the models the methods of
        `eegemo.models.base.Model`.
    title : str or None
        As reports write it; made from the name if not given.
    size : callable or None
        Called as the builder is, it returns the `eegemo.models.shapes.Size` of a network without
        building it.
    safe_layers : bool
        Whether it has no layers but those of `eegemo.models.keras.loading`, so that the network is
        stored with its architecture; else only its weights are.
    together : bool
        Whether `eegemo.models.keras.together` trains it as one program with other folds.
    """

    adapter: str
    title: str | None = None
    size: Callable[..., Size] | None = None
    safe_layers: bool = False
    together: bool = False


def builds(adapter: str, **facts: Any) -> Callable[[Builder], Builder]:
    """Decorate a builder with what is known of its models (`Facts`).

    Examples
    --------
    >>> @builds("keras", title="My network")
    ... def net(n_times, n_channels, n_classes): ...
    >>> facts_of(net).title
    'My network'
    """

    def decorate(builder: Builder) -> Builder:
        builder.__dict__["facts"] = Facts(adapter, **facts)
        return builder

    return decorate


def where_is(builder: Callable[..., Any]) -> str:
    """Name a builder, and the file that it is in, for messages."""
    plain = inspect.unwrap(builder)
    while isinstance(plain, partial):
        plain = plain.func
    name = getattr(plain, "__qualname__", type(plain).__name__)
    code = getattr(plain, "__code__", None)
    if code is not None:
        return f"{name} in {code.co_filename}"
    module = getattr(plain, "__module__", "?")
    return f"{name} in {getattr(sys.modules.get(module), '__file__', None) or module}"


def facts_of(builder: Callable[..., Any]) -> Facts:
    """Return what is known of a builder: declared, or read off its return annotation.

    Raises
    ------
    ConfigError
        If it does not say what it returns, or that is of no framework that is known.
    """
    declared = getattr(builder, "__dict__", {}).get("facts")
    if isinstance(declared, Facts):
        return declared
    annotation = getattr(inspect.unwrap(builder), "__annotations__", {}).get("return")
    if annotation is None:
        raise ConfigError(
            f"model: {where_is(builder)} does not say what it returns. Annotate it, as in "
            '`def build(...) -> "keras.Model":`, "sklearn.pipeline.Pipeline" or "torch.nn.Module".'
        )
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__module__", "")
    framework = text.strip("\"' ").split(".")[0]
    if framework not in ADAPTERS.built_in:
        known = ", ".join(ADAPTERS.built_in)
        raise ConfigError(
            f"model: {where_is(builder)} returns {annotation!r}, which is of no framework that is "
            f"known ({known}). Write it with the name of the package, as in "
            '`-> "keras.Model"`, and import it inside the function.'
        )
    return Facts(framework)


def call_builder(builder: Callable[..., Any], shape: InputShape, options: Mapping[str, Any]) -> Any:
    """Call a builder with what it asks for of a shape, and its options.

    Raises
    ------
    ConfigError
        If it asks for something else, or fails; the message names its file.
    """
    known = shape._asdict()
    given = {}
    for name, parameter in inspect.signature(builder).parameters.items():
        if name in options:
            continue
        if name in known:
            given[name] = known[name]
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise ConfigError(
                f"model: {where_is(builder)} takes {name!r}, which is no option and nothing that a "
                f"run knows ({', '.join(known)}). Make it keyword-only to be an option."
            )
    try:
        return builder(**given, **options)
    except InputError:
        raise
    except Exception as error:
        problem = " ".join(str(error).split()) or "no message"
        raise ConfigError(
            f"model: {where_is(builder)} failed for windows of {shape.n_times} samples and "
            f"{shape.n_channels} channels, {shape.n_classes} classes: {type(error).__name__}: "
            f"{problem}"
        ) from error


@dataclass(frozen=True)
class BuilderModel(Model):
    """A builder with its options; the base of the adapters.

    Attributes
    ----------
    name : str
    builder : callable
    options : mapping
    facts : Facts
    code : str or None
        SHA-256 of the source of a builder that eegemo does not come with.
    """

    name: str
    builder: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts = field(default_factory=lambda: Facts("sklearn"))
    code: str | None = None

    @property
    def title(self) -> str:  # type: ignore[override]
        """As reports write it."""
        return self.facts.title or self.name

    @property
    def where(self) -> str:
        """Name and file of the builder, for messages."""
        return where_is(self.builder)

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """Name, options, and the code of a builder that eegemo does not come with.

        None for a function that was given as an object: another one may have its name.
        """
        if self.code is None and MODELS.is_foreign(self.name):
            return None
        own = {} if self.code is None else {"code": self.code}
        return {"name": self.name, **self.options, **own}

    def build(self, shape: InputShape) -> Any:
        """Call the builder; see `eegemo.models.base.Model.build`."""
        return call_builder(self.builder, shape, self.options)

    def size(self, shape: InputShape) -> Size | None:
        """Return the size that the builder declares, or None."""
        if self.facts.size is None:
            return None
        size: Size = call_builder(self.facts.size, shape, self.options)
        return size


def make_model(name: str, *, trust: bool = True, **options: Any) -> Model:
    """Return a model by name, with its options.

    Parameters
    ----------
    name : str
        A name of the registry `eegemo.registry.MODELS`, or an import path ``"package.module:name"``
        of a builder or of a subclass of `Model`.
    trust : bool
        Whether an import path may be imported, which runs its code.
    **options
        Those of the builder; the others have their defaults.

    Returns
    -------
    model : Model

    Raises
    ------
    ConfigError
        If there is no such model, or it does not say what it builds.

    Examples
    --------
    >>> make_model("cnn_gru", units=8).title
    'CNN-GRU'
    """
    builder = MODELS.resolve(name, trust=trust)
    code = MODELS.describe_code(name).sha256 if MODELS.is_foreign(name) else None
    return _wrap(builder, name, options, code)


def _wrap(
    builder: Callable[..., Any], name: str, options: Mapping[str, Any], code: str | None
) -> Model:
    if isinstance(builder, type) and issubclass(builder, Model):
        return builder(**options)
    facts = facts_of(builder)
    adapter: Callable[..., Model] = ADAPTERS.resolve(facts.adapter)
    return adapter(name, builder, dict(options), facts, code)


def as_model(given: Any) -> Model:
    """Make a model of whatever a library user has.

    Parameters
    ----------
    given : Model, mapping, str, callable, keras.Model, torch.nn.Module or scikit-learn estimator
        A mapping has ``name`` and options, as for `make_model`. Of an object, every fold gets a
        copy with nothing learned: a Keras network with new weights, a clone of an estimator, a
        torch module with the weights that it has now.

    Returns
    -------
    model : Model

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, str):
        return make_model(given)
    if isinstance(given, Mapping):
        return make_model(**given)
    roots = {kind.__module__.split(".")[0] for kind in type(given).__mro__}
    for framework in ADAPTERS.built_in:
        if framework in roots:
            adapter: Any = ADAPTERS.resolve(framework)
            model: Model = adapter.of(given)
            return model
    if callable(given):
        return _wrap(given, getattr(given, "__name__", "model"), {}, None)
    raise ConfigError(
        "model: expected a name with options, a builder function, a Keras network, a torch module "
        f"or a scikit-learn estimator; found {type(given).__name__}."
    )
