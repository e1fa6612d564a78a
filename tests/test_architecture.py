"""The shape of the package: who may import whom, and what a light import must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eegemo

PACKAGE = Path(eegemo.__file__).parent

# A module imports only from folders before its own in this list, or from its own folder.
# There is no second rule and no exception. Imports for type checking count: a type is a dependency.
ORDER = [
    "errors",
    "store",
    "formats",
    "execution",
    "registry",
    "datasets",
    "simulation",
    "preprocessing",
    "labels",
    "trials",
    "windows",
    "fingerprints",
    "scaling",
    "splits",
    "features",
    "evaluation",
    "models",
    "training",
    "config",
    "results",
    "pages",
    "report",
    "comparison",
    "runs",
    "inference",
    "audit",
    "testing",
    "cli",
    "__main__",
]
FLOOR = {name: number for number, name in enumerate(ORDER)}

MODULES = {
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
    if file != PACKAGE / "__init__.py"
}


def imported_modules(module: str) -> set[str]:
    """Return the modules of eegemo that a module imports, at any depth, type checking included."""
    file, found = MODULES[module], set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                package = (
                    module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
                )
                name = ".".join(["eegemo", *package[: len(package) + 1 - node.level], name])
            if name.split(".")[0] == "eegemo":
                inner = name.removeprefix("eegemo").strip(".")
                for alias in node.names:
                    whole = f"{inner}.{alias.name}".strip(".")
                    found.add(whole if whole in MODULES else inner)
        elif isinstance(node, ast.Import):
            found |= {alias.name[7:] for alias in node.names if alias.name.startswith("eegemo.")}
    return found - {"", module}


def folder_of(module: str) -> str:
    """Return the folder, or the module at the top of the package, that a module belongs to."""
    return module.split(".")[0]


GRAPH = {module: imported_modules(module) for module in MODULES}


def test_every_folder_has_its_floor():
    assert {folder_of(module) for module in MODULES} == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_lead_down(module):
    here = FLOOR[folder_of(module)]
    assert not {name for name in GRAPH[module] if FLOOR[folder_of(name)] > here}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that import each other, directly or not (Tarjan 1972)."""
    number, lowest, stack, found = {}, {}, [], []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in graph[module]:
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            circle = set()
            while module not in circle:
                circle.add(stack.pop())
            if len(circle) > 1:
                found.append(circle)

    for module in graph:
        if module not in number:
            visit(module)
    return found


def test_no_modules_import_each_other():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [{"b", "c"}]
    assert circles(GRAPH) == []


# Mapping one training over many sets of weights is a transformation of JAX; Keras has none.
# PyTorch modules are trained by a loop of our own.
BACK_ENDS = {
    "models.keras.together.program": {"jax"},
    "models.torch.loop": {"torch"},
    "models.torch.module": {"torch"},
}


@pytest.mark.parametrize("module", MODULES)
def test_back_ends_are_imported_where_they_must_be(module):
    roots = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            roots.add((node.module or "").split(".")[0])
    assert roots & {"tensorflow", "jax", "torch"} <= BACK_ENDS.get(module, set())


@pytest.mark.parametrize(
    "statement",
    [
        "import eegemo",
        "from eegemo.cli import main; main(['--help'])",
        "from eegemo.cli import main; main(['run', 'no-such-file.yaml'])",
    ],
)
def test_light_uses_load_nothing_heavy(statement):
    heavy = ["keras", "tensorflow", "mne", "sklearn", "matplotlib", "pandas"]
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('LOADED', [m for m in {heavy} if m in sys.modules]))\n"
        f"{statement}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "LOADED []" in done.stdout, done.stdout + done.stderr


def test_help_imports_neither_the_config_nor_progress_bars():
    """A package each, none of which the words of ``eegemo --help`` need."""
    code = (
        "import sys\nfrom eegemo.cli import main\ntry:\n    main(['--help'])\n"
        "except SystemExit:\n    roots = {name.split('.')[0] for name in sys.modules}\n"
        "    print('LOADED', sorted(roots & {'pydantic', 'yaml', 'rich', 'numpy', 'dask'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n"), done.stdout


def test_public_names_resolve():
    for name in eegemo.__all__:
        assert getattr(eegemo, name) is not None


def test_reading_an_experiment_loads_nothing_heavy():
    """Sections are made from functions of every stage, none of which may bring its packages."""
    heavy = ["keras", "tensorflow", "mne", "sklearn", "matplotlib", "pandas"]
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from eegemo.config import load_experiment, settings_for_digest\n"
        "from eegemo.config.reference import schema, template\n"
        "files = sorted(Path('experiments').rglob('*.yaml'))\n"
        "for file in files:\n    settings_for_digest(load_experiment(file))\n"
        "schema(), template()\n"
        f"print(len(files), 'LOADED', [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    number, _, loaded = done.stdout.partition(" LOADED ")
    assert int(number) >= 17
    assert loaded == "[]\n"


def test_bids_is_read_without_mne_bids():
    """It is an oracle of the tests, and installed with them only."""
    using = [name for name, file in MODULES.items() if "mne_bids" in file.read_text("utf-8")]
    assert using == []
