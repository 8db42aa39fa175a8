"""Declaring ROS parameters with description and range, once, in one way for all nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from ams_ros.errors import ConfigurationError

Value = bool | int | float | str | list[str] | list[float]


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a node.

    default: gives the type as well; a list must not be empty.
    minimum, maximum: allowed range of a number, both or none.
    read_only: can be given at start only. live: may be set at any time, because the node looks at it when it needs it;
    others are read at configure and can be set only before.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    read_only: bool = False
    live: bool = False

    @property
    def allowed(self) -> str:
        """What may stand there, for error messages."""
        kind = type(self.default).__name__
        return kind if self.minimum is None else f"{kind} from {self.minimum} to {self.maximum}"

    def descriptor(self) -> ParameterDescriptor:
        """The ROS description, which `ros2 param describe` and rqt show and which rclpy enforces."""
        descriptor = ParameterDescriptor(description=self.description, read_only=self.read_only)
        if self.minimum is not None and self.maximum is not None:
            if isinstance(self.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum))
                ]
            else:
                descriptor.integer_range = [IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum))]
        return descriptor


def declare(node: Node, settings: Iterable[Setting]) -> None:
    """Declare those that are not yet; raises ConfigurationError for a start value of wrong type or out of range."""
    for setting in settings:
        if node.has_parameter(setting.name):
            continue
        try:
            node.declare_parameter(setting.name, setting.default, setting.descriptor())
        except ParameterException as error:
            given = node._parameter_overrides.get(setting.name)  # rclpy offers no public way to read an override
            value = given.value if given is not None else str(error)
            raise ConfigurationError(
                f"{node.get_fully_qualified_name()} {setting.name}", value, setting.allowed
            ) from error
