"""Slices from the inference node."""

from __future__ import annotations

import time

from rclpy.client import Client

from ams_ros.errors import ConfigurationError, InferenceError
from ams_ros.nodes.conversions import guidance_message, inference_of
from ams_ros.nodes.goal_call import wait_for
from ams_ros.robot.stop_request import StopRequest
from ams_ros.srv import InferSlice
from ams_ros.types import Inference, SliceRequest

_POLL_SECONDS = 0.01


class RosSliceSource:
    """Implements supervision.protocols.SliceSource for one task; blocks, and belongs into the task's thread."""

    def __init__(
        self, client: Client, joint_names: tuple[str, ...], server_wait: float, timeout: float, stop: StopRequest
    ) -> None:
        """server_wait, timeout: seconds of wall time for the service to appear, and to answer.

        stop: ends a wait early, so that a task can be canceled while the inference node is silent.
        """
        self._client, self._joint_names = client, joint_names
        self._server_wait, self._timeout, self._stop = server_wait, timeout, stop

    def infer(self, request: SliceRequest) -> Inference:
        """Ask for one slice.

        Raises InferenceError with the node's own words, or when it is absent, silent, or answers for another robot.
        """
        self._wait_for_service()
        future = self._client.call_async(_message(request))
        if not wait_for(future, self._timeout, self._stop):
            self._client.remove_pending_request(future)
            self._raise_if_stopped()
            raise InferenceError(f"{self._client.srv_name} did not answer within {self._timeout} s")
        response = future.result()
        if not response.success:
            raise InferenceError(response.message)
        try:
            return inference_of(response.slice, response.stages, response.reuse, self._joint_names)
        except (ConfigurationError, ValueError) as error:
            raise InferenceError(f"{self._client.srv_name} sent a slice that cannot be run: {error}") from error

    def _wait_for_service(self) -> None:
        deadline = time.monotonic() + self._server_wait
        while not self._client.service_is_ready():
            self._raise_if_stopped()
            if time.monotonic() > deadline:
                raise InferenceError(
                    f"{self._client.srv_name} is not there: waited {self._server_wait} s; "
                    "is the inference node configured?"
                )
            self._stop.wait(_POLL_SECONDS)

    def _raise_if_stopped(self) -> None:
        if self._stop.requested:
            raise InferenceError(f"stopped while inferring: {self._stop.reason}")


def _message(request: SliceRequest) -> InferSlice.Request:
    return InferSlice.Request(
        instruction=request.instruction,
        seed=request.seed,
        episode=request.episode,
        index=request.index,
        bypass_pool=request.bypass,
        guidance=guidance_message(request.guidance),
    )
