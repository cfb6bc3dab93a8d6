"""What the portal's listener is measured against: python-hl7's own server, and one INSERT.

As python-hl7's documentation writes a server, with a database connection for each sender. It
stores the message as it is: nothing is checked, stripped or encrypted, no message is known again.
"""

from __future__ import annotations

import argparse
import asyncio

import psycopg
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

CREATE = """
    CREATE TABLE IF NOT EXISTS bare_messages (
        id bigserial PRIMARY KEY,
        received_at timestamptz NOT NULL DEFAULT now(),
        control_id text NOT NULL,
        content text NOT NULL
    )
"""
INSERT = "INSERT INTO bare_messages (control_id, content) VALUES (%s, %s)"


async def serve(host: str, port: int, database_url: str) -> None:
    """Until it is killed."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(CREATE)

    async def converse(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
        async with connection:
            while not reader.at_eof():
                try:
                    message = await reader.readmessage()
                except asyncio.IncompleteReadError:
                    break
                control_id = str(message.segment("MSH")[10])
                await connection.execute(INSERT, [control_id, str(message)])
                writer.writemessage(message.create_ack())
                await writer.drain()
        writer.close()

    async with await start_hl7_server(converse, host, port, encoding="latin-1") as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database-url", required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.host, given.port, given.database_url))
