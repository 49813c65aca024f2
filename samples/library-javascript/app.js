// A library: functions of its own world, for whoever calls them.

export function greet(name) {
  return `Hello, ${name}!`;
}

export const geometry = {
  measure(line) {
    if (line.length < 2) {
      throw 'a line needs two points';
    }
    const xs = line.map((point) => point.x);
    const ys = line.map((point) => point.y);
    return {
      count: line.length,
      length: line.slice(1).reduce((sum, point, at) => sum + Math.hypot(point.x - line[at].x, point.y - line[at].y), 0),
      corners: [
        { x: Math.min(...xs), y: Math.min(...ys) },
        { x: Math.max(...xs), y: Math.max(...ys) },
      ],
    };
  },
};
