"""Charts, as SVG: the ratios to the bare program, one bar a figure, its spread a line, its goal a mark; and the growth, one
panel for what grows, a line for the host's nanoseconds a call, one for the recorders', one for their sum."""

import math

from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 22, 420, 420, 50
MOST = 2.0  # what is beyond is cut, and says its number


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


PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 300, 180, 60
LINES = (("host", "#47a"), ("recorders", "#d74"), ("sum", "#222"))


def growth(grown, machine):
    """`grown`: {what: {point: (host ns, recorders ns)}}"""
    width = MARGIN + len(grown) * (PANEL_WIDTH + MARGIN)
    key = " ".join(f'<tspan fill="{colour}">{name}</tspan>' for name, colour in LINES)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{PANEL_HEIGHT + 2 * MARGIN + 20}" '
             f'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">CPU of a captured call, ns: {key} ({escape(machine)})</text>']  # fmt: skip
    for number, (what, points) in enumerate(grown.items()):
        parts += panel(MARGIN + number * (PANEL_WIDTH + MARGIN), what, points)
    return "\n".join([*parts, "</svg>\n"])


def panel(left, what, points):
    values = {point: (*both, sum(both)) for point, both in points.items()}
    top, widest = max(max(each) for each in values.values()) or 1, math.log10(max(points)) or 1
    bottom = MARGIN + PANEL_HEIGHT

    def place(point, nanoseconds):
        return f"{left + PANEL_WIDTH * math.log10(point) / widest:.1f},{bottom - PANEL_HEIGHT * nanoseconds / top:.1f}"

    yield f'<rect x="{left}" y="{MARGIN}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="none" stroke="#ccc"/>'
    yield f'<text x="{left + PANEL_WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">{escape(what)}</text>'
    for height in (0, top / 2, top):
        y = bottom - PANEL_HEIGHT * height / top
        yield f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{height:.0f}</text>'
    for point in points:
        x = place(point, 0).split(",")[0]
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{point:,}</text>'
    for line, (_, colour) in enumerate(LINES):
        corners = " ".join(place(point, each[line]) for point, each in values.items())
        yield f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2"/>'
