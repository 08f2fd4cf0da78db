"""The edge: a stateless node that caches, joins and routes."""
