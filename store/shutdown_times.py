"""How long a worker that shuts down may take, for those who end it."""

from __future__ import annotations

#: What storing the last checkpoint of an attempt may take, after the job has stopped and before it is given back.
LAST_CHECKPOINT_SECONDS = 20.0
#: What a worker's processes get beyond the time that a cancelled job gets, before it kills them.
WORKER_MARGIN_SECONDS = LAST_CHECKPOINT_SECONDS + 5
#: What a worker as a whole gets beyond that time; compose and Kubernetes wait longer.
STOP_MARGIN_SECONDS = WORKER_MARGIN_SECONDS + 5
