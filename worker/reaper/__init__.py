"""The reaper: whatever got stuck is set going again, and what nothing refers to is removed."""
