"""The origin: a GPU server that synthesises segments, and nothing else."""
