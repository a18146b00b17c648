// A line in a table row: the shape of the last ten minutes, without a scale.

const WIDTH = 96;
const HEIGHT = 20;

export function Spark({ points, label }: { points: (number | null)[]; label: string }) {
  const path = sparkPath(points, WIDTH, HEIGHT);
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={label}>
      <title>{label}</title>
      <path class="ground" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      {path !== "" && <path class="stroke" d={path} />}
    </svg>
  );
}

/** From 0 to the largest value; empty slots break the line. */
export function sparkPath(points: (number | null)[], width: number, height: number): string {
  const largest = points.reduce<number>((most, point) => Math.max(most, point ?? 0), 0);
  const across = width / Math.max(1, points.length - 1);
  const scale = largest === 0 ? 0 : (height - 3) / largest;
  let path = "";
  let drawing = false;
  points.forEach((point, index) => {
    if (point !== null) path += `${drawing ? "L" : "M"}${round(index * across)} ${round(height - 1 - point * scale)}`;
    drawing = point !== null;
  });
  return path;
}

function round(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
