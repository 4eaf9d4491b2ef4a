"""A real one-node Kubernetes with MinIO on this machine, for tests: `python -m tests.testbed`."""
