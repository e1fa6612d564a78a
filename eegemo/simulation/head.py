"""Spherical head model of the simulated dipoles."""

from functools import cache
from typing import NamedTuple

import mne
import numpy as np
import numpy.typing as npt

from eegemo.datasets.deap import DEAP_EEG_CHANNELS

__all__ = ["REGIONS", "EyeFields", "electrode_directions", "eye_fields", "lead_field"]

Float64 = npt.NDArray[np.float64]

REGIONS = ("F3", "F4", "Fz", "C3", "C4", "T7", "T8", "P3", "P4", "Pz", "O1", "O2")
"""Electrodes above the twelve regions that carry rhythms."""

_DEPTHS = (0.45, 0.65, 0.85)  # of the other candidates, as a share of the brain's radius
_PER_DEPTH = 100

# The eyes and the electrodes EXG1 to EXG4 around them (next to the left and the right eye, above
# and below the right eye), in radii of the head: right, front, up.
_EYES = np.array([[-0.33, 0.80, -0.42], [0.33, 0.80, -0.42]])
_EXG = np.array(
    [[-0.66, 0.68, -0.42], [0.66, 0.68, -0.42], [0.33, 0.93, -0.12], [0.33, 0.87, -0.74]]
)


def lead_field() -> Float64:
    """Return the lead field of all candidate dipoles.

    Returns
    -------
    ndarray, shape (32, n_dipoles, 3)
        Potential at each of DEAP's electrodes, average reference, in volts per ampere metre, of a
        dipole along x (right), y (front) and z (up). The first twelve dipoles lie under the
        electrodes of `REGIONS`, the others all over the brain.

    Notes
    -----
    MNE computes it as in Berg & Scherg (1994), "A fast method for forward computation of
    multiple-shell spherical head models", Electroencephalography and Clinical Neurophysiology
    90(1), 58-64.

    Examples
    --------
    >>> lead_field().shape
    (32, 312, 3)
    """
    return _forward()[0].copy()


def electrode_directions() -> Float64:
    """Return the directions of the electrodes from the centre of the head.

    Returns
    -------
    ndarray, shape (32, 3)
        Unit vectors: right, front, up.

    Examples
    --------
    >>> bool(electrode_directions()[DEAP_EEG_CHANNELS.index("Cz"), 2] > 0.9)
    True
    """
    return _forward()[1].copy()


class EyeFields(NamedTuple):
    """What the eyes give at the electrodes, per volt of the EOG.

    Attributes
    ----------
    blink, saccade : ndarray, shape (32,)
        Of a blink per volt of the vertical EOG (EXG3 - EXG4), and of a saccade per volt of the
        horizontal EOG (EXG1 - EXG2), at DEAP's EEG electrodes; no reference subtracted.
    blink_exg, saccade_exg : ndarray, shape (4,)
        The same at EXG1 to EXG4.
    """

    blink: Float64
    saccade: Float64
    blink_exg: Float64
    saccade_exg: Float64


def eye_fields() -> EyeFields:
    """Return how blinks and saccades spread over the head.

    Returns
    -------
    EyeFields
        Potentials of two dipoles, one in each eye: upward for blinks (the lid slides over the
        positive cornea), to the left for a positive horizontal EOG, in an infinite homogeneous
        conductor.

    Notes
    -----
    Dipoles in the eyes are the model of Berg & Scherg (1991), "Dipole models of eye movements and
    blinks", Electroencephalography and Clinical Neurophysiology 79(1), 36-44. The homogeneous
    conductor is a simplification; it leaves the topography what matters here, a steep fall from
    front to back.

    Examples
    --------
    >>> fields = eye_fields()
    >>> blink = dict(zip(DEAP_EEG_CHANNELS, fields.blink.round(2).tolist(), strict=True))
    >>> blink["Fp1"] > 2 * blink["F3"] > 4 * blink["Cz"] > 0
    True
    """
    at = np.concatenate([_EXG, electrode_directions()])
    distance = at[:, np.newaxis] - _EYES
    pull = distance / np.linalg.norm(distance, axis=2, keepdims=True) ** 3
    field = pull.sum(axis=1)  # (electrode, direction of the dipole)
    up, left = field[:, 2], -field[:, 0]
    up, left = up / (up[2] - up[3]), left / (left[0] - left[1])
    # both electrodes of a pair alike, so that the other pair's movement does not show in it
    up[:2], left[2:4] = up[:2].mean(), left[2:4].mean()
    return EyeFields(up[4:], left[4:], up[:4], left[:4])


@cache
def _forward() -> tuple[Float64, Float64]:
    """Lead field and directions; they take 0.2 s, and every subject needs them."""
    info = mne.create_info(list(DEAP_EEG_CHANNELS), 128.0, "eeg")
    info.set_montage("biosemi32", verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    centre = np.asarray(sphere["r0"])
    electrodes = np.array([channel["loc"][:3] for channel in info["chs"]]) - centre
    electrodes /= np.linalg.norm(electrodes, axis=1, keepdims=True)
    regions = electrodes[[DEAP_EEG_CHANNELS.index(name) for name in REGIONS]]
    # Shells of evenly spread points (Fibonacci lattice). The centre is excluded: the model divides
    # by zero there.
    k = np.arange(_PER_DEPTH)
    z = 1 - (2 * k + 1) / _PER_DEPTH
    angle = k * np.pi * (3 - np.sqrt(5))
    cloud = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], 1)
    at = np.concatenate([0.85 * regions, *(depth * cloud for depth in _DEPTHS)])
    brain = sphere["layers"][0]["rad"]
    source = mne.setup_volume_source_space(
        pos={"rr": centre + brain * at, "nn": np.tile([0.0, 0.0, 1.0], (len(at), 1))},
        sphere=sphere,
        verbose="error",
    )
    # the sphere is made in head coordinates, so that those and the "MRI" are the same
    same = mne.transforms.Transform("head", "mri")
    forward = mne.make_forward_solution(info, same, source, sphere, meg=False, verbose="error")
    gain = np.asarray(forward["sol"]["data"]).reshape(len(electrodes), len(at), 3)
    return gain - gain.mean(axis=0), electrodes
