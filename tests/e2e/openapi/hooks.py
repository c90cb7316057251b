"""What schemathesis is told beyond its settings (schemathesis.toml)."""
import schemathesis


@schemathesis.hook
def before_load_schema(context, schema):
    """An app is sent as JSON alone: each of two thousand requests would be sent again as YAML,
    which goes through the same table (tests/e2e/test_input.py)."""
    del schema["paths"]["/v1/apps/{app}"]["put"]["requestBody"]["content"]["application/yaml"]


@schemathesis.hook
def map_query(context, query):
    """A rollout may be under way for long: waits stay waits, of a second at most."""
    wait = (query or {}).get("wait")
    if isinstance(wait, str) and wait[:-1].isdigit() and wait.endswith("s") and len(wait) < 4 \
            and 1 < int(wait[:-1]) <= 55:
        query["wait"] = "1s"
    return query


@schemathesis.hook
def filter_case(context, case):
    """OpenAPI cannot say that two arguments exclude each other (tests/e2e/test_audit.py)."""
    query = case.query or {}
    return not (case.operation.path == "/v1/audit" and "after" in query and "before" in query)
