"""What is in a table: a file of comma-separated values."""

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean


@dataclass
class Column:
    values: int
    mean: float | None


def predict(table: Path) -> dict[str, Column]:
    """How many values each column has, and the mean of those that are numbers."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows if row[name]]
        numbers = [float(value) for value in values if value.replace(".", "", 1).isdigit()]
        found[name] = Column(len(values), fmean(numbers) if numbers else None)
    return found
