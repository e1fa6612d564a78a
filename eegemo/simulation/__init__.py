"""A simulated DEAP release with known truth."""

from eegemo.simulation.release import SimulatedRelease, is_simulated, read_simulation, simulate_deap

__all__ = [
    "SimulatedRelease",
    "is_simulated",
    "read_simulation",
    "simulate_deap",
]
