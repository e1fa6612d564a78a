"""The shape of the package: who may import whom, and what a light import must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eegemo

PACKAGE = Path(eegemo.__file__).parent

# A module imports only from those before it (and its own folder). The experiment file stands above
# training: its sections are read off the signatures of the functions that they configure.
ORDER = [
    "errors",
    "store",
    "archives",
    "execution",
    "registry",
    "clusters",
    "recordings",
    "preprocessing",
    "labels",
    "trials",
    "windows",
    "scaling",
    "folds",
    "segments",
    "splits",
    "features",
    "models",
    "baseline",
    "predictions",
    "training",
    "config",
    "inference",
    "metrics",
    "statistics",
    "calibration",
    "figures",
    "report",
    "comparison",
    "provenance",
    "needs",
    "tasks",
    "all_folds",
    "preparation",
    "quality",
    "applying",
    "finishing",
    "pipeline",
    "audit",
    "verification",
    "checking",
    "progress",
    "commands",
    "cli",
    "__main__",
]
FOUNDATIONS = ["errors", "store", "archives", "execution", "registry"]


def imported_modules(file: Path) -> set[str]:
    """Return the parts of eegemo that a file imports, at any depth, except for type checking."""
    found = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == len(file.relative_to(PACKAGE).parts):
            # from the package itself: `from ..errors import x`, `from .. import figures`
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found.add(file.relative_to(PACKAGE).parts[0])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eegemo"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "eegemo" and len(name) > 1}
    return found & set(ORDER)


def part_of(file: Path) -> str:
    """Return the module or folder of the package that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(file for file in PACKAGE.rglob("*.py") if part_of(file) != "__init__")


def test_every_module_has_its_place():
    assert {part_of(file) for file in FILES} == set(ORDER)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_modules_import_only_upwards(file):
    part = part_of(file)
    allowed = set(ORDER[: ORDER.index(part) + 1])
    if part in FOUNDATIONS:
        allowed = {"errors", part}
    assert imported_modules(file) <= allowed


def test_only_the_top_sees_the_config():
    seers = {part_of(file) for file in FILES if "config" in imported_modules(file)}
    top = set(ORDER[ORDER.index("preparation") :])
    assert seers <= {"config"} | top


# Mapping one training over many sets of weights is a transformation of JAX; Keras has none.
ON_JAX = PACKAGE / "training" / "together_program.py"


def test_no_back_end_is_imported():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            roots = {name.split(".")[0] for name in names}
            allowed = {"jax"} if file == ON_JAX else set()
            assert not roots & {"tensorflow", "jax", "torch"} - allowed, file


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
