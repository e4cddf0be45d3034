"""A double of Airflow's supervisor, which tasks and triggers ask for connections."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ConnectionResult, ErrorResponse, GetConnection


def stored(**fields):
    """What the supervisor answers of a connection that is there."""
    unset = dict.fromkeys(("schema", "login", "port", "extra", "host", "password"))
    return ConnectionResult(**{"conn_id": "stored", "conn_type": "videos", **unset, **fields})


class Supervisor:
    """The other end of Airflow's own line, over which a task asks for connections."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def send(self, message):
        if not isinstance(message, GetConnection):
            return None
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ErrorResponse) and answer.error is not ErrorType.CONNECTION_NOT_FOUND:
            raise AirflowRuntimeError(answer)
        return answer

    async def asend(self, message):
        return self.send(message)


STUMBLES = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 503})
MISSING = ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": "stored"})
STORED = stored(host="http://gpu/v1", password="a-long-key")
