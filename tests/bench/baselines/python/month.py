"""The month before an instant in Japan, and its window in epoch milliseconds."""

from datetime import datetime, timedelta, timezone

JST = timezone(timedelta(hours=9))


def previous_month(instant: datetime) -> tuple[datetime, datetime]:
    """The first instant of the month before, and that of the month after it."""
    end = instant.astimezone(JST).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first_of_previous(end), end


def first_of_previous(first: datetime) -> datetime:
    return (first - timedelta(days=1)).replace(day=1)


def first_of_next(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


def epoch_millis(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000
