"""What the edge decides: pure, without async, clocks, dice or I/O."""
