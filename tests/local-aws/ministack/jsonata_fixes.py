"""Corrects two things that ministack does with JSONata.

In a JSONPath machine, it asks each rule of a state that is JSONata (those of a Choice, and the catchers) for its query language. A rule
has none of its own, so that it takes the machine's, and the rule's Assign (a Choice's Output as well) is passed over.

It gives an expression one second of the wall clock, which a machine that pauses for a moment takes away.
"""

PATIENCE_MS = 60_000


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

    compile_expression = stepfunctions.jsonata.Jsonata.jsonata

    # Those that are only checked have no time limit.
    def compile_patiently(expression: str, timeout: int | None = None) -> object:
        return compile_expression(expression, timeout=None if timeout is None else PATIENCE_MS)

    stepfunctions.jsonata.Jsonata.jsonata = staticmethod(compile_patiently)
