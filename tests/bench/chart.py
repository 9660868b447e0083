"""Charts, as SVG: of the ratios to the bare program, one bar a figure, its spread a line, its goal a mark; of growth."""

import math
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 22, 420, 420, 50
MOST = 2.0  # what is beyond is cut, and says its number
PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 420, 240, 60
COLOURS = {"host": "#48c", "recorders": "#d74", "both": "#333"}


def ratios(figures, machine):
    shown = [figure for figure in figures if figure.goal and figure.goal.of == "ratio"]
    height = TOP + ROW * len(shown) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}" '
             f'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">Recorded, as a ratio to the bare program ({escape(machine)})</text>']  # fmt: skip
    for mark in (0.5, 1.0, 1.5, 2.0):
        parts.append(f'<line x1="{at(mark)}" y1="{TOP - 10}" x2="{at(mark)}" y2="{height - 15}" stroke="#ccc"/>'
                     f'<text x="{at(mark)}" y="{TOP - 14}" text-anchor="middle">{mark:g}</text>')  # fmt: skip
    for number, figure in enumerate(shown):
        y = TOP + ROW * number
        median, least, most = figure.compared()
        colour = "#4a8" if figure.is_met() else "#d74"
        goal = figure.goal.at_least if figure.goal.at_least > 0 else figure.goal.at_most
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(figure.name)}</text>'
                     f'<rect x="{LEFT}" y="{y}" width="{at(median) - LEFT}" height="14" fill="{colour}"/>'
                     f'<line x1="{at(least)}" y1="{y + 7}" x2="{at(most)}" y2="{y + 7}" stroke="black"/>'
                     f'<line x1="{at(goal)}" y1="{y - 2}" x2="{at(goal)}" y2="{y + 16}" stroke="black" stroke-width="2"/>'
                     f'<text x="{LEFT + WIDTH + 10}" y="{y + 12}">{median:.2f}</text>')  # fmt: skip
    return "\n".join([*parts, "</svg>\n"])


def at(ratio):
    return round(LEFT + WIDTH * min(max(ratio, 0), MOST) / MOST, 1)


def growth(every, machine):
    """What a call costs more than bare, one panel a series, the size of what grows on a logarithmic axis."""
    rows = (len(every) + 1) // 2
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * (PANEL_WIDTH + MARGIN) + 40}" '
             f'height="{rows * (PANEL_HEIGHT + 2 * MARGIN) + 40}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">CPU added to a captured call of 64 B, ns ({escape(machine)})</text>']  # fmt: skip
    for number, series in enumerate(every):
        x, y = MARGIN + number % 2 * (PANEL_WIDTH + MARGIN), MARGIN + number // 2 * (PANEL_HEIGHT + 2 * MARGIN)
        parts.append(f'<g transform="translate({x},{y})">{panel(series.of, series.points())}</g>')
    return "\n".join([*parts, "</svg>\n"])


def panel(of, points):
    lines = {"host": [host for _, host, _ in points], "recorders": [recorders for *_, recorders in points]}
    lines["both"] = [host + recorders for host, recorders in zip(*lines.values())]
    least, most = min(0, *lines["host"]), max(lines["both"]) * 1.1
    decades = math.log10(points[-1][0] / points[0][0])
    across = [round(PANEL_WIDTH * math.log10(size / points[0][0]) / decades, 1) for size, *_ in points]

    def up(ns):
        return round(PANEL_HEIGHT * (most - ns) / (most - least), 1)

    parts = [f'<text x="{PANEL_WIDTH / 2}" y="{PANEL_HEIGHT + 34}" text-anchor="middle">{escape(of)}</text>'
             '<text x="-6" y="-12" text-anchor="end">ns</text>']  # fmt: skip
    for ns in (0, most / 4, most / 2, most * 3 / 4, most):
        parts.append(f'<line x1="0" y1="{up(ns)}" x2="{PANEL_WIDTH}" y2="{up(ns)}" stroke="#ccc"/>'
                     f'<text x="-6" y="{up(ns) + 4}" text-anchor="end">{ns:,.0f}</text>')  # fmt: skip
    for (size, *_), x in zip(points, across):
        parts.append(f'<line x1="{x}" y1="0" x2="{x}" y2="{PANEL_HEIGHT}" stroke="#eee"/>'
                     f'<text x="{x}" y="{PANEL_HEIGHT + 16}" text-anchor="middle">{size:,}</text>')  # fmt: skip
    for number, (name, values) in enumerate(lines.items()):
        track = " ".join(f"{x},{up(ns)}" for x, ns in zip(across, values))
        dots = "".join(f'<circle cx="{x}" cy="{up(ns)}" r="3" fill="{COLOURS[name]}"/>' for x, ns in zip(across, values))
        parts.append(f'<polyline points="{track}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>{dots}'
                     f'<text x="{10 + 80 * number}" y="-8" fill="{COLOURS[name]}">{name}</text>')  # fmt: skip
    return "\n".join(parts)
