#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench.svg out of results.json: every ratio with its interval on one logarithmic axis, beside its goal."""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 1210, 560, 150, 70, 26, 50
MET, MISSED, GOAL, GRID, TEXT = "#1b7f4b", "#c0392b", "#444444", "#dddddd", "#222222"


def _bounds(rows):
    values = [v for row in rows for v in (row["value"], row["goal"], *row.get("ci", ()))]
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.05))


def _row(row, y, at):
    colour = MET if row["met"] else MISSED
    low, high = row.get("ci", (row["value"], row["value"]))
    sign = ">=" if row["at_least"] else ""
    sides = f"{row.get('ours', '')} / {row.get('reference', '')}"
    return [f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row["key"])}  {escape(row["what"])}</text>',
            f'<text x="{WIDTH - 16}" y="{y + 4}" text-anchor="end" fill="{colour}">{row["value"]:.3g}x, goal {escape(sign)}{row["goal"]:.3g}</text>',
            f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{at(row["value"]):.1f}" cy="{y}" r="4.5" fill="{colour}"><title>{escape(sides)}</title></circle>',
            f'<path d="M{at(row["goal"]):.1f} {y - 9}v18" stroke="{GOAL}" stroke-width="2" stroke-dasharray="3 2"/>']


def svg(results):
    rows = [row for row in results["rows"] if row["unit"] == "x" and "goal" in row]
    first, last = _bounds(rows)
    height = TOP + STEP * len(rows) + BOTTOM

    def at(value):
        return LEFT + (math.log10(max(value, 10 ** first)) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    about = results["about"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12" '
             f'fill="{TEXT}"><rect width="100%" height="100%" fill="white"/>',
             f'<text x="20" y="26" font-size="16">cleave over its reference: containerd {escape(about["containerd"])}\'s runc shim, '
             f'or what the label says</text>',
             f'<text x="20" y="46">dot: median of the blocks\' ratios; bar: 95 % interval; dashed: the goal; '
             f'<tspan fill="{MET}">met</tspan>, <tspan fill="{MISSED}">missed</tspan></text>']
    for power in range(first, last + 1):
        for factor in (1,) if power == last else (1, 2, 5):
            x = at(factor * 10 ** power)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{height - BOTTOM + 4}" stroke="{GRID}"/>')
        parts.append(f'<text x="{at(10 ** power):.1f}" y="{height - BOTTOM + 20}" text-anchor="middle">{10 ** power:g}x</text>')
    for number, row in enumerate(rows):
        parts += _row(row, TOP + STEP * number, at)
    return "\n".join(parts + ["</svg>"]) + "\n"


def draw(source, target):
    with open(source, encoding="utf-8") as file:
        text = svg(json.load(file))
    with open(target, "w", encoding="utf-8") as out:
        out.write(text)


if __name__ == "__main__":
    draw(sys.argv[1], sys.argv[2])
