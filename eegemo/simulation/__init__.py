"""Simulated data with known ground truth: a release of DEAP, and DREAMER's file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.simulation.dataset import Simulated

if TYPE_CHECKING:
    from eegemo.simulation.dreamer import SimulatedDreamer as SimulatedDreamer
    from eegemo.simulation.dreamer import is_simulated_dreamer as is_simulated_dreamer
    from eegemo.simulation.dreamer import simulate_dreamer as simulate_dreamer
    from eegemo.simulation.release import SimulatedRelease as SimulatedRelease
    from eegemo.simulation.release import is_simulated as is_simulated
    from eegemo.simulation.release import read_simulation as read_simulation
    from eegemo.simulation.release import simulate_deap as simulate_deap

__all__ = [
    "Simulated",
    "SimulatedDreamer",
    "SimulatedRelease",
    "is_simulated",
    "is_simulated_dreamer",
    "read_simulation",
    "simulate_deap",
    "simulate_dreamer",
]

#: Name -> module of this folder that defines it; the simulation is imported when one is used.
_HOMES = {
    "SimulatedDreamer": "dreamer",
    "SimulatedRelease": "release",
    "is_simulated": "release",
    "is_simulated_dreamer": "dreamer",
    "read_simulation": "release",
    "simulate_deap": "release",
    "simulate_dreamer": "dreamer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
