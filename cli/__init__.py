"""The `pouf` command."""
