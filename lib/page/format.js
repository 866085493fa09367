/**
 * Writes values for people: `12.3 W`, `1.20 GB`, `45.0 %`.
 *
 * @module
 */

const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"]];

/** Writes a value with its unit; seconds from two minutes on as hours and minutes. */
export function format(value, unit = "") {
  if (unit === "ratio") return `${(value * 100).toFixed(1)} %`;
  if (unit === "%") return `${value.toFixed(1)} %`;
  if (unit === "s" && Math.abs(value) >= 120) {
    const seconds = Math.round(value);
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  }
  if (unit === "" || unit === "°C" || unit === "x" || unit === "fps") {
    const text = Number.isInteger(value) ? String(value) : value.toFixed(2);
    return unit ? `${text} ${unit}` : text;
  }
  if (value === 0) return `0 ${unit}`;
  const [scale, prefix] = PREFIXES.find(([scale]) => Math.abs(value) >= scale) ?? PREFIXES.at(-1);
  return `${(value / scale).toPrecision(3)} ${prefix}${unit}`;
}
