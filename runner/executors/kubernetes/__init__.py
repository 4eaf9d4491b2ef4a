"""Runs attempts as Pods; `docs/pods.md` is the contract with what runs in them."""
