"""How much of a score is leak? The same data, model and budget under every way to hold out.

`audit_experiment` runs an experiment under random windows, trials cut in time, whole trials, whole
stimuli and whole subjects, each also with trial labels shuffled, and writes one table, one figure
and a page. `read_audit` puts the numbers together from what the runs have stored.
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
