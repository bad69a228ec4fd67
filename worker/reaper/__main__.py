"""`python -m worker.reaper`."""

from worker.reaper.loop import main

main()
