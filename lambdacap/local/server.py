"""The local cloud's process: MiniStack in the main thread, the functions beside it.

One process, so that whatever ends it ends all of it; function processes end by themselves when their pipe
closes. Started by `cloud.start`, which hands over everything by the command line and the environment.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from lambdacap.local.cloud import Cloud, write_cloud
from lambdacap.local.functions import Functions, FunctionServer


def main(home: Path, port: int, functions_port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    functions = Functions(home, endpoint)
    with FunctionServer(functions, functions_port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        engine = os.environ.get("DOCKER_HOST", "")
        write_cloud(home, Cloud(endpoint=endpoint, functions=server.url, engine=engine))
        # MiniStack reads its settings from the environment when it is imported.
        from ministack.app import main as serve

        sys.argv = ["ministack"]
        try:
            serve()
        finally:
            server.shutdown()
            functions.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
