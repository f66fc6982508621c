// The month before an instant in Japan, and its window in epoch milliseconds.

const JST_MS = 9 * 60 * 60 * 1000;

export function previousMonth(instant) {
  const local = new Date(instant.getTime() + JST_MS);
  const year = local.getUTCFullYear();
  const month = local.getUTCMonth();
  const start = new Date(Date.UTC(year, month - 1, 1));
  return {
    year: String(start.getUTCFullYear()),
    month: String(start.getUTCMonth() + 1).padStart(2, "0"),
    start: start.getTime() - JST_MS,
    end: Date.UTC(year, month, 1) - JST_MS,
  };
}
