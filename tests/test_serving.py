"""The server over real HTTP, with a function in the place of a model: answers, errors, and how often it is run."""

import socket
import threading
from http.client import HTTPConnection

import numpy as np
import pytest

from coursekit import serving


class Slow:
    """Sums the inputs; each run waits until the test lets it go on."""

    def __init__(self):
        self.go, self.sizes = threading.Event(), []

    def __call__(self, x):
        self.go.wait(30)
        self.sizes.append(len(x))
        if (x < 0).any():
            raise ValueError("negative input")
        return x.sum(axis=1, keepdims=True)


@pytest.fixture
def model():
    return Slow()


@pytest.fixture
def port(model):
    made = serving.server({"one_by_one": serving.OneByOne(model), "batched": serving.Batched(model, wait=0.2)})
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made.server_address[1]
    model.go.set()
    made.shutdown()
    made.server_close()
    thread.join(30)


@pytest.mark.parametrize("name", ["one_by_one", "batched"])
def test_each_client_gets_its_own_answers(port, model, name):
    model.go.set()
    inputs = np.arange(36.0).reshape(12, 3)
    outputs, latencies, seconds = serving.visit(port, name, inputs, clients=4)
    assert np.allclose(outputs[:, 0], inputs.sum(axis=1))
    assert (latencies > 0).all() and seconds >= latencies.max()
    status = serving.ask(port, f"/v1/models/{name}")["model_version_status"][0]
    assert status["state"] == "AVAILABLE" and status["requests"] == 12 and status["calls"] == len(model.sizes)
    assert sum(model.sizes) == 12 and (name == "batched" or len(model.sizes) == 12)


def test_a_hundred_clients_that_come_at_once_are_all_let_in(model):
    """They connect before the server takes the first of them in, as on a machine that is busy elsewhere."""
    made = serving.server({"one_by_one": serving.OneByOne(model)})
    connections = [socket.socket() for _ in range(100)]
    try:
        for connection in connections:
            connection.settimeout(0.5)  # where the queue is full, the first packet is dropped
            connection.connect(made.server_address)
    finally:
        for connection in connections:
            connection.close()
        made.server_close()


def test_requests_that_come_while_the_model_runs_share_the_next_run(port, model):
    answers = []
    body = {"instances": [[1, 2]]}
    ask = lambda: answers.append(serving.ask(port, "/v1/models/batched:predict", body))
    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    model.go.set()
    for thread in threads:
        thread.join(30)
    assert answers == [{"predictions": [[3.0]]}] * 5
    assert sum(model.sizes) == 5 and len(model.sizes) < 5


def test_what_can_t_be_answered_is_an_error_in_json_and_the_server_goes_on(port, model):
    model.go.set()
    for name in ("one_by_one", "batched"):
        path = f"/v1/models/{name}:predict"
        assert "negative input" in serving.ask(port, path, {"instances": [[-1.0]]})["error"]
        assert "KeyError" in serving.ask(port, path, {"inputs": [[1.0]]})["error"]
        assert serving.ask(port, path, {"instances": [[1.0]]}) == {"predictions": [[1.0]]}
    assert "no model other" in serving.ask(port, "/v1/models/other")["error"]
    assert "error" in serving.ask(port, "/v1/models/other:predict", {"instances": [[1.0]]})
    assert "error" in serving.ask(port, "/v1/models/batched:classify", {"instances": [[1.0]]})
    connection = HTTPConnection(serving.ADDRESS, port)
    connection.request("POST", "/v1/models/batched:predict", "no JSON")
    assert connection.getresponse().status == 400
    connection.close()
