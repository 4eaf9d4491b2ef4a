"""Real things for tests to talk to: repositories, git servers and forges, all on this machine."""
