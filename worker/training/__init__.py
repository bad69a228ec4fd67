"""One attempt of one adaptation job: claim, child process, outcome."""
