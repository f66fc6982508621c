"""Keeps the time zone of a schedule that CloudFormation makes or updates, which ministack drops. Its ticker still reads expressions in UTC."""

ZONE = "ScheduleExpressionTimezone"


def correct() -> None:
    from ministack.services import scheduler
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]
    create, update = handlers["create"], handlers["update"]

    def keep_zone(name: str, properties: dict) -> None:
        scheduler._schedules[f"{properties.get('GroupName', 'default')}/{name}"][ZONE] = properties.get(ZONE, "UTC")

    def with_zone_created(logical_id: str, properties: dict, stack_name: str) -> tuple:
        name, attributes = create(logical_id, properties, stack_name)
        keep_zone(name, properties)
        return name, attributes

    def with_zone_updated(physical_id: str, old: dict, new: dict, stack_name: str) -> tuple:
        name, attributes = update(physical_id, old, new, stack_name)
        keep_zone(name, new)
        return name, attributes

    handlers["create"], handlers["update"] = with_zone_created, with_zone_updated
