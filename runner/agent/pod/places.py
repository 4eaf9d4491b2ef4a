"""Where things are in the Pod, as `docs/pods.md` lays it out; tests say other places."""

from __future__ import annotations

_DEFAULTS = {
    "control": "/hookline/control",
    "scratch": "/hookline/scratch",
    "workspace": "/workspace",
    "pod": "/hookline/pod",
    "tmp": "/tmp",  # noqa: S108 (a volume of the agent's own)
    "launcher": "/opt/hookline/bin/launcher",
    "termination": "/dev/termination-log",
}


class Places:
    """Paths, from `--NAME PATH` for each that is not where it is by default.

    `log` is the step's log while it runs, `output` the file that `CI_OUTPUT` names, `home` the
    step's `HOME`. `--path FOLDER` is for whoever starts the agent, and means nothing here.
    """

    def __init__(self, arguments: list[str]) -> None:
        """Raise `ValueError` for anything that is not `--NAME PATH`."""
        paths = dict(_DEFAULTS)
        for place in range(0, len(arguments), 2):
            name = arguments[place].removeprefix("--")
            unknown = f"--{name}" != arguments[place] or name not in (*paths, "path")
            if unknown or not arguments[place + 1 :]:
                known = ", ".join(f"--{name} PATH" for name in _DEFAULTS)
                message = f"{arguments[place]!r} is no option with its value; there are {known}"
                raise ValueError(message)
            paths[name] = arguments[place + 1]
        self.control = paths["control"]
        self.workspace = paths["workspace"]
        self.annotations = f"{paths['pod']}/annotations"
        self.launcher = paths["launcher"]
        self.termination = paths["termination"]
        self.log = f"{paths['tmp']}/log"
        self.output = f"{paths['scratch']}/output"
        self.home = f"{paths['scratch']}/home"
