"""Files as people really have them, made here, with what is expected of each."""
