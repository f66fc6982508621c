// The month before an instant in Japan with its window in epoch milliseconds, and its neighbours.

const JST_MS = 9 * 60 * 60 * 1000;

export function previousMonth(instant) {
  const local = new Date(instant.getTime() + JST_MS);
  const year = local.getUTCFullYear();
  const month = local.getUTCMonth();
  const start = new Date(Date.UTC(year, month - 1, 1));
  return { ...texts(start), start: start.getTime() - JST_MS, end: Date.UTC(year, month, 1) - JST_MS };
}

export function neighbour(year, month, months) {
  return texts(new Date(Date.UTC(Number(year), Number(month) - 1 + months, 1)));
}

function texts(first) {
  return { year: String(first.getUTCFullYear()), month: String(first.getUTCMonth() + 1).padStart(2, "0") };
}
