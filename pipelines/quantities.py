"""Processors and bytes as people write them in a file: `500m` or `0.5`, `512Mi` or `2Gi`.

The spelling is that of Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re

from pipelines.errors import ExpressionError

MOST_PROCESSORS = 1024
LEAST_BYTES = 2**20
MOST_BYTES = 2**50

_NUMBER = r"([0-9]{1,16}(?:\.[0-9]{1,9})?)"
_PROCESSORS = re.compile(rf"{_NUMBER}(m?)")
_BYTES = re.compile(rf"{_NUMBER} ?([A-Za-z]*)")
_UNITS = {
    "": 1,
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGT", start=1)},
    **{f"{unit}iB": 1024**power for power, unit in enumerate("KMGT", start=1)},
    **{unit: 1000**power for power, unit in enumerate("kMGT", start=1)},
}
_CURE_OF_PROCESSORS = "write it as `2`, `0.5` or `500m`, a thousandth of a processor being `1m`"
_CURE_OF_BYTES = "write it as `512Mi` or `2Gi`; a bare number means bytes"


def parse_processors(text: str) -> float:
    """Return the processors in `2`, `0.5` or `500m`: from a thousandth of one to 1024.

    Raises `ExpressionError`.
    """
    match = _PROCESSORS.fullmatch(text)
    if match is None:
        raise _mistake(f"`{text[:40]}` is no number of processors", _CURE_OF_PROCESSORS)
    processors = float(match[1]) / (1000 if match[2] else 1)
    if not 0.001 <= processors <= MOST_PROCESSORS:
        message = f"`{text}` is not between `1m` and {MOST_PROCESSORS} processors"
        raise _mistake(message, _CURE_OF_PROCESSORS)
    return processors


def parse_bytes(text: str) -> int:
    """Return the bytes in `512Mi`, `1.5Gi`, `500M` or `1048576`: from 1 MiB to 1 PiB.

    Raises `ExpressionError`.
    """
    match = _BYTES.fullmatch(text)
    if match is None:
        raise _mistake(f"`{text[:40]}` is no size", _CURE_OF_BYTES)
    number, unit = match.groups()
    if unit not in _UNITS:
        raise _mistake(f"`{unit[:40]}` is no unit of size", _CURE_OF_BYTES)
    size = int(float(number) * _UNITS[unit])
    if not LEAST_BYTES <= size <= MOST_BYTES:
        raise _mistake(f"`{text}` is not between 1 MiB and 1 PiB", _CURE_OF_BYTES)
    return size


def _mistake(message: str, cure: str) -> ExpressionError:
    return ExpressionError(message, column=1, cure=cure)
