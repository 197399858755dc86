"""Parts of the pictures, which are SVG."""


def text(x, y, words, anchor="middle", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def line(points, colour, width):
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


class Frame:
    """Where the curve is drawn, and the lines behind it; `top` is the value at the upper edge."""

    WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 70, 40, 120, 50

    def __init__(self, title, top):
        self.top = top
        self.right = self.WIDTH - self.RIGHT
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.WIDTH} {self.HEIGHT}" '
                      'font-family="sans-serif" font-size="13">',
                      f'<rect width="{self.WIDTH}" height="{self.HEIGHT}" fill="#fff"/>', text(self.LEFT, 22, title, "start")]
        for part in range(5):
            y = self.y_of(top * part / 4)
            self.parts += [line([(self.LEFT, y), (self.right, y)], "#ccc", 1),
                           text(self.LEFT - 8, y + 4, f"{top * part / 4:.3g}", "end")]

    def x_of(self, part):
        return self.LEFT + part * (self.right - self.LEFT)

    def y_of(self, value):
        return self.HEIGHT - self.BOTTOM - value / self.top * (self.HEIGHT - self.TOP - self.BOTTOM)

    def mark(self, part, words):
        """Below the curve."""
        self.parts.append(text(self.x_of(part), self.HEIGHT - self.BOTTOM + 20, words))

    def finish(self):
        return "\n".join([*self.parts, "</svg>"]) + "\n"
