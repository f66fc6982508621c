"""Corrects what ministack does with a Choice state that is JSONata in a JSONPath machine.

ministack asks each rule for its query language. A rule has none of its own, so that it takes the machine's, and the rule's Assign and
Output are passed over.
"""


def correct() -> None:
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_choice

    def execute_choice(state: dict, raw_input: object, ctx: dict | None = None) -> tuple:
        if stepfunctions._state_query_language(state, ctx) == "JSONata":
            state = state | {"Choices": [rule | {"QueryLanguage": "JSONata"} for rule in state.get("Choices", [])]}
        return execute(state, raw_input, ctx)

    stepfunctions._execute_choice = execute_choice
