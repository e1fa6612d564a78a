"""What preprocessing did to the signals, as pages to look at.

Everything is drawn from the records that lie beside the stored trials; no signal is read again.
"""

from eegemo.quality.running import preprocess_experiment, write_quality_report

__all__ = ["preprocess_experiment", "write_quality_report"]
