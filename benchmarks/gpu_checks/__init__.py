"""The sections of `gpu_check.py`: each gives figures, or raises what is wrong."""
