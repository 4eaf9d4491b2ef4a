"""One module a forge: what its deliveries say, and how it wants to be told of a status."""
