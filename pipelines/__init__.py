"""What a pipeline is: events, the language of `.ci.yaml`, the graph, the plan and the machine.

Everything in here is pure: no I/O, no clock, no randomness, no threads.
"""
