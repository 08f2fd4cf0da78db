"""The edge over HTTP."""
