"""The reaper: revokes expired leases, sends lost messages again, removes files that no row refers to."""
