"""The kind of a job: its status and target selection in one number, to filter by."""

from jobindex.model.jobs import JobStatus, TargetSelection

STATUS_KINDS = {
    JobStatus.SCHEDULED: 0,
    JobStatus.IN_PROGRESS: 3,
    JobStatus.COMPLETED: 6,
    JobStatus.CANCELED: 9,
    JobStatus.DELETION_IN_PROGRESS: 12,
}
SELECTION_KINDS = {None: 0, TargetSelection.CONTINUOUS: 1, TargetSelection.SNAPSHOT: 2}
"""A job's kind is the sum of its status kind and its selection kind."""
STATUSES = {kind + selection: status for status, kind in STATUS_KINDS.items() for selection in SELECTION_KINDS.values()}
"""The status of each kind."""
