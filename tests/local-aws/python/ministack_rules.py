"""Corrects what ministack does with the rules of a state that is JSONata in a JSONPath machine: those of a Choice, and its catchers.

ministack asks each rule for its query language. A rule has none of its own, so that it takes the machine's, and the rule's Assign
(a Choice's Output as well) is passed over.
"""


def correct() -> None:
    from ministack.services import stepfunctions

    execute = stepfunctions._execute_choice

    def execute_choice(state: dict, raw_input: object, ctx: dict | None = None) -> tuple:
        if stepfunctions._state_query_language(state, ctx) == "JSONata":
            state = state | {"Choices": [rule | {"QueryLanguage": "JSONata"} for rule in state.get("Choices", [])]}
        return execute(state, raw_input, ctx)

    stepfunctions._execute_choice = execute_choice

    catch = stepfunctions._apply_catcher

    def apply_catcher(catcher: dict, raw_input: object, ctx: dict, query_language: str, error_output: dict) -> object:
        return catch(catcher | {"QueryLanguage": query_language}, raw_input, ctx, query_language, error_output)

    stepfunctions._apply_catcher = apply_catcher
