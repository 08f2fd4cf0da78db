"""Measures Refrain: `python -m bench.hitrate`, `bench.latency`, `bench.coldstart`. The last line of each is one line of JSON."""
