"""All I/O of the edge, behind the ports."""
