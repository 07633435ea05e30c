# SPDX-License-Identifier: Apache-2.0
"""Rows: a value, what it is compared with, the goal. The table, and the reasons of what was missed."""
import os
import random
import re
import statistics

HERE = os.path.dirname(os.path.abspath(__file__))
REASONS = os.path.join(HERE, "../../docs/performance.md")
RESAMPLES = 2000


def interval(values):
    """The bootstrap 95 % interval of the median."""
    dice = random.Random(1)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]


class Row:
    """One figure. `goal` is a number that the value (a ratio: the end of its interval) must not exceed, or
    must reach if `at_least`; None: the figure is only recorded."""

    def __init__(self, key, what, value, unit, goal=None, at_least=False, ci=None, ours=None, reference=None, exact=False):
        self.key, self.what, self.value, self.unit, self.goal = key, what, value, unit, goal
        self.at_least, self.ci, self.ours, self.reference, self.exact = at_least, ci, ours, reference, exact

    @classmethod
    def ratio(cls, key, what, ours, reference, scale=1, unit="", **fields):
        """Of pairs that were measured one after the other; the sides are shown in `unit`."""
        ratios = [a / b for a, b in zip(ours, reference)]
        return cls(key, what, statistics.median(ratios), "x", ci=interval(ratios),
                   ours=f"{_short(statistics.median(ours) * scale)} {unit}".strip(),
                   reference=f"{_short(statistics.median(reference) * scale)} {unit}".strip(), **fields)

    @property
    def met(self):
        if self.goal is None:
            return None
        low, high = self.ci or (self.value, self.value)
        return low >= self.goal if self.at_least else high <= self.goal

    def json(self):
        return {**{k: v for k, v in vars(self).items() if v is not None}, "met": self.met}


def _short(value):
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def reasons():
    """{key: sentence} of the list in docs/performance.md."""
    with open(REASONS, encoding="utf-8") as file:
        text = re.sub(r"\n  +", " ", file.read())
    return dict(re.findall(r"^\* \*\*(P[0-9a-z]+)\*\*: (.+)$", text, re.M))


def table(rows):
    lines = [["", "measure", "ours", "reference", "value", "95 %", "goal", ""]]
    for row in rows:
        sign = ">=" if row.at_least else "<="
        lines.append([row.key, row.what, row.ours or "", row.reference or "", f"{_short(row.value)} {row.unit}".strip(),
                      f"{row.ci[0]:.2f}-{row.ci[1]:.2f}" if row.ci else "exact" if row.exact else "",
                      f"{sign} {_short(row.goal)}" if row.goal is not None else "",
                      {True: "met", False: "MISSED", None: ""}[row.met]])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def missed(rows):
    """One line for each key with a missed goal."""
    known = reasons()
    keys = dict.fromkeys(row.key for row in rows if row.met is False)
    return [f"{key}: {known.get(key, 'no reason is recorded in docs/performance.md: this is new')}" for key in keys]
