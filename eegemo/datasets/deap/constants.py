"""Constants of DEAP: channels, rates, times, and names of folders."""

from typing import NamedTuple

__all__ = [
    "BASELINE_DURATION",
    "DEAP_CHANNELS",
    "DEAP_EEG_CHANNELS",
    "FORMS",
    "MARKER",
    "PERIPHERAL",
    "SFREQ",
]


SFREQ = 128.0


#: File beside a simulated release that describes it.
MARKER = "simulation.json"


BASELINE_DURATION = 3.0


# fmt: off
DEAP_EEG_CHANNELS: tuple[str, ...] = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7",
    "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
    "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz",
    "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)


# fmt: on
# MNE's type of each peripheral channel, and the factor from the file's unit to the one in memory.
# Only EOG and EMG are known to be in microvolts. Skin response is a resistance in ohm, of which MNE
# has no type (its `gsr` is a conductance in siemens, and 1/x of a channel that crosses zero is
# meaningless); the others are in units that the release does not state. Those keep the file's unit.
PERIPHERAL = {
    "hEOG": ("eog", 1e-6),
    "vEOG": ("eog", 1e-6),
    "zEMG": ("emg", 1e-6),
    "tEMG": ("emg", 1e-6),
    "GSR": ("misc", 1.0),
    "Respiration": ("resp", 1.0),
    "Plethysmograph": ("misc", 1.0),
    "Temperature": ("temperature", 1.0),
}


DEAP_CHANNELS: tuple[str, ...] = (*DEAP_EEG_CHANNELS, *PERIPHERAL)


class Form(NamedTuple):
    """A form in which DEAP is distributed: its folder, and the suffix of its files."""

    folder: str
    suffix: str


#: Variant -> its folder in the release, and the suffix of its files.
FORMS = {
    "python": Form("data_preprocessed_python", ".dat"),
    "matlab": Form("data_preprocessed_matlab", ".mat"),
    "bdf": Form("data_original", ".bdf"),
}
