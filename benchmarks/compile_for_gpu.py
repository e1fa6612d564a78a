"""Compile the program that trains all folds at once for a GPU that is not there, and look at it.

    KERAS_BACKEND=jax JAX_PLATFORMS=cpu JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 \
        python benchmarks/compile_for_gpu.py [--folds 1 10 32] [--models cnn_lstm cnn_gru]

Resources JAX with its CUDA plugin (`pip install "jax[cuda12]"`, Linux), with `ptxas` of the wheel
nvidia-cuda-nvcc on the PATH, and no GPU. XLA compiles for the device that is described below, an
NVIDIA H200, and nothing is run: what is printed are the kernels that a training step launches, the
memory it takes, and how much of what goes in is overwritten by what comes out. Times cannot be
known in this way, nor what measuring on the device ("autotuning") would choose.
"""

import argparse
import re
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies

from eegemo.models import InputShape, TrainingOptions, make_model
from eegemo.models.keras.fitting import build_network
from eegemo.models.keras.together.program import Program

H200 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 4800000000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: 151397597184 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 feature_extension: ACCELERATED_FEATURES }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536 thread_dim_limit_x: 1024
  thread_dim_limit_y: 1024 thread_dim_limit_z: 64 device_vendor: "NVIDIA Corporation"
  platform_version: "Compute Capability 9.0a" device_address_bits: 64 ecc_enabled: true
  name: "NVIDIA H200 141GB HBM3e" driver_version: "12.9.0" runtime_version: "12.9.0"
  compile_time_toolkit_version: "12.9.0" dnn_version: "9.10.0"
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 patch: 0 }
device_description_str: "NVIDIA H200 141GB HBM3e"
"""
# All of DEAP, windows of 2 s every 1/8 s.
N_TRIALS, N_TIMES, N_CHANNELS, N_WINDOWS, N_STEPS, BATCH = 1280, 7680, 32, 595_200, 9_000, 64
# What is no kernel.
FREE = {
    "after-all", "async-done", "bitcast", "call", "conditional", "constant", "copy-done",
    "get-tuple-element", "opt-barrier", "parameter", "tuple", "while",
}  # fmt: skip


def describe(model: str, n_folds: int, place: Any) -> tuple[Program, tuple[Any, ...]]:
    """Return the program, and the shapes of what it is called with."""
    built_for = InputShape(256, N_CHANNELS, 4, 128.0, tuple(map(str, range(N_CHANNELS))))
    network = build_network(make_model(model), built_for, TrainingOptions(), 1e-3, 0)
    program = Program(network)

    def shape(dims: tuple[int, ...], dtype: Any = np.float32) -> Any:
        return jax.ShapeDtypeStruct(dims, dtype, sharding=place)

    state = tuple(
        [shape((n_folds, *one.shape), one.value.dtype) for one in variables]
        for variables in (
            network.trainable_variables,
            network.non_trainable_variables,
            program.optimizer.variables,
        )
    )
    shared = {name: shape((N_WINDOWS,), np.int32) for name in ("trial", "first", "codes")}
    shared["signals"] = shape((N_TRIALS, N_TIMES, N_CHANNELS))
    own = {name: shape((n_folds, N_TRIALS, N_CHANNELS)) for name in ("gain", "offset")}
    own |= {"weights": shape((n_folds, 4)), "rates": shape((n_folds, 1))}
    return program, (state, shared, own, shape((N_STEPS, n_folds, BATCH), np.int32))


def computations(text: str) -> tuple[dict[str, list[tuple[str, str]]], str]:
    """Return the instructions of each computation, as (operation, line), and the entry's name."""
    found: dict[str, list[tuple[str, str]]] = {}
    entry = name = ""
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$", line)
        one = re.match(r"\s+(?:ROOT )?%?[\w.\-]+ = (?:\(.*?\)|\S+) ([\w\-]+)\(", line)
        if head:
            name = head[2]
            found[name] = []
            entry = name if head[1] else entry
        elif one and name:
            found[name].append((one[1], line))
    return found, entry


def kernels(
    found: dict[str, list[tuple[str, str]]], name: str, times: int = 1, depth: int = 0
) -> Iterator[tuple[int, int, str]]:
    """Yield each kernel below a computation: how often it runs, in how many loops, and what."""
    for operation, line in found[name]:
        if operation == "while":
            trips = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', line)
            body = re.search(r"body=%?([\w.\-]+)", line)
            assert trips is not None, "a loop of unknown length would ask the device at each turn"
            assert body is not None
            yield from kernels(found, body[1], times * int(trips[1]), depth + 1)
        elif operation in ("call", "conditional"):
            for other in re.findall(r"(?:to_apply|_computation)=%?([\w.\-]+)", line):
                yield from kernels(found, other, times, depth)
        elif operation not in FREE:
            yield times, depth, operation


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--folds", type=int, nargs="+", default=[1, 10, 32])
    arguments.add_argument("--models", nargs="+", default=["cnn_lstm", "cnn_gru"])
    given = arguments.parse_args()
    topology = topologies.get_topology_desc(
        "", platform="cuda", target_config=H200, topology="1x1x1"
    )
    place = jax.sharding.SingleDeviceSharding(topology.devices[0])
    print(f"JAX {jax.__version__}, compiled for an H200 and not run; default sizes, batches of 64")
    for model in given.models:
        for n_folds in given.folds:
            program, shapes = describe(model, n_folds, place)
            lowered = program.train.trace(*shapes).lower(lowering_platforms=("cuda",))
            began = time.perf_counter()
            compiled = lowered.compile()
            seconds = time.perf_counter() - began
            found = list(kernels(*computations(compiled.as_text())))
            step = [(n / N_STEPS, depth, what) for n, depth, what in found if depth]
            total = sum(n for n, _, _ in step)
            recurrent = sum(n for n, depth, _ in step if depth > 1)
            memory = compiled.memory_analysis()
            odd = sorted({what for _, _, what in step} & {"scatter", "custom-call", "infeed"})
            print(
                f"{model}, {n_folds:2} folds: {total:4.0f} kernels a step, {recurrent:.0f} of them "
                f"in the recurrence; {memory.temp_size_in_bytes / 1e6:5.0f} MB of scratch, "
                f"{memory.alias_size_in_bytes / memory.output_size_in_bytes:.0%} of the output in "
                f"place of the input; {', '.join(odd) or 'no scatter, no custom call'}; compiled "
                f"in {seconds:.0f} s"
            )


if __name__ == "__main__":
    main()
