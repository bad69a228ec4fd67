"""`python -m worker.reaper`."""

from worker.reaper.rounds import main

main()
