"""How much of a score is leakage: the same data, model and budget under each evaluation protocol.

`audit_experiment` runs an experiment with random windows, trials split in time, and splits by
trial, by stimulus and by subject, each also with permuted trial labels, and writes a report.
`read_audit` computes the numbers from the stored runs.
"""

from eegemo.audit.outcome import Audit, Row, read_audit, sentences
from eegemo.audit.page import write_audit
from eegemo.audit.protocols import PROTOCOLS, Protocol, list_protocols
from eegemo.audit.run import audit_experiment

__all__ = [
    "PROTOCOLS",
    "Audit",
    "Protocol",
    "Row",
    "audit_experiment",
    "list_protocols",
    "read_audit",
    "sentences",
    "write_audit",
]
