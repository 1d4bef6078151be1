"""A model behind HTTP, with the addresses and the JSON of TensorFlow Serving, and clients that measure it.

    python -m coursekit.serving FOLDER        # serves the SavedModel in the folder, prints "ready PORT"

    GET  /v1/models/batched                   is it there?
    POST /v1/models/batched:predict           {"instances": [input, ...]} gives {"predictions": [output, ...]}

The model has two names: `one_by_one` runs it for every request, `batched` collects the requests of some milliseconds
and runs it once for all of them. It is a small server for this machine: no encryption, no limits, one model. Born in
notebook 20.
"""

import json
import queue
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

ADDRESS = "127.0.0.1"


class OneByOne:
    """Runs the model for each request by itself."""

    def __init__(self, model):
        self.model, self.requests, self.calls, self.lock = model, 0, 0, threading.Lock()

    def predict(self, instances):
        """Outputs of the model for the instances of a request: (n, ...) to (n, ...)."""
        with self.lock:
            self.requests += 1
            self.calls += 1
        return self.model(instances)


class Batched:
    """Collects requests for some seconds, or until there are `most` instances, and runs the model once for all."""

    def __init__(self, model, wait=0.005, most=64):
        self.model, self.wait, self.most = model, wait, most
        self.requests, self.calls, self.queue = 0, 0, queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def predict(self, instances):
        """Outputs of the model for the instances of a request; other requests may share the run."""
        future = Future()
        self.queue.put((instances, future))
        return future.result()

    def _collect(self):
        waiting = [self.queue.get()]
        end = time.monotonic() + self.wait
        while sum(len(instances) for instances, _ in waiting) < self.most:
            try:
                waiting.append(self.queue.get(timeout=max(0, end - time.monotonic())))
            except queue.Empty:
                break
        return waiting

    def _serve(self):
        while True:
            waiting = self._collect()
            self.requests, self.calls = self.requests + len(waiting), self.calls + 1
            try:
                outputs = self.model(np.concatenate([instances for instances, _ in waiting]))
                ends = np.cumsum([len(instances) for instances, _ in waiting])[:-1]
                for (_, future), part in zip(waiting, np.split(outputs, ends), strict=True):
                    future.set_result(part)
            except Exception as error:  # whoever waits is told, and the server goes on
                for _, future in waiting:
                    future.set_exception(error)


class Server(ThreadingHTTPServer):
    """A thread for each connection, and room for many that come at once: by default the sixth is reset."""

    daemon_threads = True
    request_queue_size = 128


def server(models, port=0):
    """An HTTP server for {name: OneByOne or Batched}; call its `serve_forever`. Port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a client can send many requests over one connection
        disable_nagle_algorithm = True

        def do_GET(self):
            name = self.path.removeprefix("/v1/models/")
            if name not in models:
                return self._answer(404, {"error": f"there is no model {name}"})
            one = models[name]
            status = {"version": "1", "state": "AVAILABLE", "requests": one.requests, "calls": one.calls}
            return self._answer(200, {"model_version_status": [status]})

        def do_POST(self):
            name, _, verb = self.path.removeprefix("/v1/models/").partition(":")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if name not in models or verb != "predict":
                return self._answer(404, {"error": f"there is no {self.path}"})
            try:
                instances = np.asarray(json.loads(body)["instances"], dtype="float32")
                return self._answer(200, {"predictions": models[name].predict(instances).tolist()})
            except Exception as error:
                return self._answer(400, {"error": f"{type(error).__name__}: {error}"[:300]})

        def _answer(self, code, values):
            content = json.dumps(values).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing for each request."""

    return Server((ADDRESS, port), Handler)


def ask(port, path, body=None):
    """The answer of a server on this machine, as a dictionary: GET, or POST where there is a body."""
    connection = HTTPConnection(ADDRESS, port, timeout=60)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def visit(port, name, inputs, clients):
    """Many clients at once, each with one input a request, one request after another, over a connection of its own.

    inputs: (n, ...), dealt out to the clients. Returns outputs (n, ...), the seconds of each
    request (n,), and those of all together.
    """
    path, outputs, latencies = f"/v1/models/{name}:predict", [None] * len(inputs), np.zeros(len(inputs))

    def client(number):
        connection = HTTPConnection(ADDRESS, port, timeout=60)
        try:
            for i in range(number, len(inputs), clients):
                body = json.dumps({"instances": [inputs[i].tolist()]})
                start = time.perf_counter()
                connection.request("POST", path, body)
                outputs[i] = json.loads(connection.getresponse().read())["predictions"][0]
                latencies[i] = time.perf_counter() - start
        finally:
            connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return np.array(outputs), latencies, time.perf_counter() - start


def main(folder):
    """Load a SavedModel and serve it until the process is ended."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    model = lambda instances: loaded.serve(tf.constant(instances)).numpy()
    made = server({"one_by_one": OneByOne(model), "batched": Batched(model)})
    print("ready", made.server_address[1], flush=True)
    made.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
