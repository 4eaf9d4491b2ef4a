"""What runs a step: one protocol, and processes, Pods or a script behind it."""
