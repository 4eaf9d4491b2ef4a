"""The door to Kubernetes: what reaches the cluster, what watches it, what its answers mean."""
