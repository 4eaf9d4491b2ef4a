"""The edge to the forges: deliveries come in (verify, parse), statuses go out."""
